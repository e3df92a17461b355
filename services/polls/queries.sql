-- name: poll_facts
-- What decides what somebody may do with these polls; without a group, what Loomio says of polls outside of groups.
SELECT p.id,
       p.discarded_at IS NULL AS is_kept,
       p.closed_at IS NOT NULL AS is_closed,
       (p.closing_at > :now::timestamp) IS TRUE AS is_closing_later,
       p.anonymous,
       p.hide_results <> 0 AS hides_results,
       p.specified_voters_only,
       p.group_id IS NOT NULL AS has_group,
       (g.discussion_privacy_options = 'public_only') IS TRUE AS is_public,
       EXISTS (
           SELECT 1 FROM discussions d WHERE d.id = p.discussion_id AND d.closed_at IS NOT NULL
       ) AS is_in_closed_thread,
       coalesce(g.members_can_add_guests, true) AS members_can_add_guests,
       coalesce(g.members_can_announce, true) AS members_can_announce,
       coalesce(g.members_can_edit_discussions, true) AS members_can_edit_discussions,
       (
           SELECT s.allow_guests
             FROM groups top
             JOIN subscriptions s ON s.id = top.subscription_id
            WHERE top.id = coalesce(g.parent_id, g.id)
       ) IS NOT FALSE AS allows_guests,
       (p.author_id = :actor_id::bigint) IS TRUE AS am_author,
       mine.id IS NOT NULL AND mine.revoked_at IS NULL AS am_group_member,
       mine.id IS NOT NULL AS have_been_group_member,
       mine.admin IS TRUE AND mine.revoked_at IS NULL AS am_group_admin,
       r.guest IS TRUE AS am_guest_of_thread,
       r.admin IS TRUE AS am_admin_of_thread,
       v.id IS NOT NULL AS am_voter,
       v.guest IS TRUE AS am_guest_voter,
       v.admin IS TRUE AS am_admin_voter,
       EXISTS (
           SELECT 1 FROM stances e
            WHERE e.poll_id = p.id AND e.participant_id = :actor_id::bigint AND e.guest AND e.revoked_at IS NULL
       ) AS am_guest,
       EXISTS (
           SELECT 1 FROM discussion_readers t
            WHERE t.discussion_id = p.discussion_id AND t.token = :reader_token::varchar
              AND t.guest AND t.revoked_at IS NULL
       ) OR EXISTS (
           SELECT 1 FROM stances t
            WHERE t.poll_id = p.id AND t.token = :stance_token::varchar AND t.guest AND t.revoked_at IS NULL
       ) AS hold_its_token
  FROM polls p
  LEFT JOIN groups g ON g.id = p.group_id
  LEFT JOIN memberships mine ON mine.group_id = g.id AND mine.user_id = :actor_id::bigint
  LEFT JOIN discussion_readers r
         ON r.discussion_id = p.discussion_id AND r.user_id = :actor_id::bigint AND r.revoked_at IS NULL
  LEFT JOIN stances v
         ON v.poll_id = p.id AND v.participant_id = :actor_id::bigint AND v.latest AND v.revoked_at IS NULL
 WHERE p.id = ANY(:ids::bigint[])

-- name: stance_facts
-- What decides, with their polls, what somebody may do with these votes.
SELECT id,
       poll_id,
       (participant_id = :actor_id::bigint) IS TRUE AS is_mine,
       latest AS is_latest,
       cast_at IS NOT NULL AS is_cast,
       accepted_at IS NOT NULL AS is_accepted,
       revoked_at IS NOT NULL AS is_revoked,
       inviter_id IS NOT NULL AS was_invited
  FROM stances
 WHERE id = ANY(:ids::bigint[])

-- name: poll_id_of_key
-- The poll with this key.
SELECT id FROM polls WHERE key = :key::varchar

-- name: polls_of_stances
-- Which polls these votes belong to.
SELECT id, poll_id FROM stances WHERE id = ANY(:ids::bigint[])

-- name: polls_of_outcomes
-- Which polls these outcomes belong to.
SELECT id, poll_id FROM outcomes WHERE id = ANY(:ids::bigint[])

-- name: redeem_stance
-- An uncast vote of an address that nobody proved becomes somebody's. Saving it makes its missing reason an empty
-- text, which is a step in its history, as in Loomio.
WITH invited AS (
    SELECT s.id, s.reason IS NULL AS lacks_reason
      FROM stances s
      JOIN users u ON u.id = s.participant_id
     WHERE s.token = :token::varchar
       AND s.latest AND s.revoked_at IS NULL AND s.inviter_id IS NOT NULL
       AND s.cast_at IS NULL AND s.accepted_at IS NULL
       AND NOT u.email_verified
       AND NOT EXISTS (
           SELECT 1 FROM stances own
            WHERE own.poll_id = s.poll_id AND own.participant_id = :user_id::bigint AND own.latest
       )
       FOR UPDATE OF s
), noted AS (
    INSERT INTO versions (item_type, item_id, event, created_at, object_changes)
    SELECT 'Stance', id, 'update', :now::timestamp, '{"reason": [null, ""]}' FROM invited WHERE lacks_reason
    RETURNING item_id
)
UPDATE stances s
   SET participant_id = :user_id::bigint, accepted_at = :now::timestamp, updated_at = :now::timestamp,
       reason = coalesce(s.reason, ''),
       versions_count = (SELECT count(*) FROM versions v WHERE v.item_type = 'Stance' AND v.item_id = s.id)
                      + (SELECT count(*) FROM noted)
  FROM invited
 WHERE s.id = invited.id
RETURNING s.id
