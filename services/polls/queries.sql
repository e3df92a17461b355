-- name: poll_facts
-- What decides who sees these polls.
SELECT p.id,
       p.discarded_at IS NULL AS is_kept,
       (p.author_id = :actor_id::bigint) IS TRUE AS am_author,
       (g.discussion_privacy_options = 'public_only') IS TRUE AS is_public,
       EXISTS (
           SELECT 1 FROM memberships m
            WHERE m.group_id = p.group_id AND m.user_id = :actor_id::bigint AND m.revoked_at IS NULL
       ) AS am_member,
       EXISTS (
           SELECT 1 FROM discussion_readers r
            WHERE r.discussion_id = p.discussion_id AND r.guest AND r.revoked_at IS NULL
              AND (r.user_id = :actor_id::bigint OR r.token = :reader_token::varchar)
       ) AS am_guest_of_thread,
       EXISTS (
           SELECT 1 FROM stances s
            WHERE s.poll_id = p.id AND s.guest AND s.revoked_at IS NULL
              AND (s.participant_id = :actor_id::bigint OR s.token = :stance_token::varchar)
       ) AS am_guest
  FROM polls p
  LEFT JOIN groups g ON g.id = p.group_id
 WHERE p.id = ANY(:ids::bigint[])

-- name: poll_id_of_key
-- The poll with this key.
SELECT id FROM polls WHERE key = :key::varchar

-- name: polls_of_stances
-- Which polls these votes belong to.
SELECT id, poll_id FROM stances WHERE id = ANY(:ids::bigint[])

-- name: polls_of_outcomes
-- Which polls these outcomes belong to.
SELECT id, poll_id FROM outcomes WHERE id = ANY(:ids::bigint[])
