-- name: group_facts
-- What decides who sees this group.
SELECT g.id,
       g.archived_at IS NOT NULL AS is_archived,
       g.is_visible_to_public IS TRUE AS is_visible_to_public,
       g.is_visible_to_parent_members IS TRUE AS is_visible_to_parent_members,
       EXISTS (
           SELECT 1 FROM memberships m
            WHERE m.group_id = g.id AND m.user_id = :actor_id::bigint AND m.revoked_at IS NULL
       ) AS am_member,
       EXISTS (
           SELECT 1 FROM memberships m
            WHERE m.group_id = g.parent_id AND m.user_id = :actor_id::bigint AND m.revoked_at IS NULL
       ) AS am_parent_member,
       (g.token = :group_token::varchar) IS TRUE AS hold_its_token,
       EXISTS (
           SELECT 1 FROM memberships m
            WHERE m.group_id = g.id AND m.token = :membership_token::varchar
              AND m.revoked_at IS NULL AND m.accepted_at IS NULL
       ) AS hold_an_invitation
  FROM groups g
 WHERE g.id = :id::bigint

-- name: group_id_of_key
-- The group with this key.
SELECT id FROM groups WHERE key = :key::varchar

-- name: group_id_of_handle
-- The group with this handle; capitals make no difference.
SELECT id FROM groups WHERE handle = :handle::citext

-- name: handles_like
-- The handles that are `base`, or `base` with a number, archived groups' too.
SELECT lower(handle::text) AS handle
  FROM groups
 WHERE handle = :base::citext OR handle::text ~* ('^' || :base::text || '-[0-9]+$')

-- name: explored
-- How many groups the directory shows; a pattern of null means all of them.
SELECT count(*) AS count
  FROM groups
 WHERE listed_in_explore AND parent_id IS NULL AND archived_at IS NULL
   AND (:pattern::text IS NULL OR name ILIKE :pattern::text OR description ILIKE :pattern::text)
