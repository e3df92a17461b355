-- name: discussion_facts
-- What decides who sees these threads. Groups of mine are those not archived in which my membership is not revoked.
WITH mine AS (
    SELECT m.group_id
      FROM memberships m
      JOIN groups g ON g.id = m.group_id
     WHERE m.user_id = :actor_id::bigint AND m.revoked_at IS NULL AND g.archived_at IS NULL
)
SELECT d.id,
       d.discarded_at IS NULL AS is_kept,
       g.archived_at IS NOT NULL AS is_in_archived_group,
       d.private = false AS is_public,
       d.group_id IN (SELECT group_id FROM mine) IS TRUE AS is_in_my_group,
       (g.parent_members_can_see_discussions AND g.parent_id IN (SELECT group_id FROM mine)) IS TRUE
           AS is_open_to_me_as_parent_member,
       EXISTS (
           SELECT 1
             FROM discussion_readers r
            WHERE r.discussion_id = d.id AND r.guest AND r.revoked_at IS NULL
              AND (r.user_id = :actor_id::bigint OR r.token = :reader_token::varchar)
       ) AS am_guest
  FROM discussions d
  LEFT JOIN groups g ON g.id = d.group_id
 WHERE d.id = ANY(:ids::bigint[])

-- name: discussion_id_of_key
-- The thread with this key.
SELECT id FROM discussions WHERE key = :key::varchar
