-- name: group_facts
-- What decides what somebody may do with these groups.
SELECT g.id,
       g.archived_at IS NOT NULL AS is_archived,
       g.parent_id IS NULL AS is_top,
       g.is_visible_to_public,
       g.is_visible_to_parent_members,
       g.discussion_privacy_options = 'public_only' AS has_public_threads_only,
       g.membership_granted_upon = 'request' AS is_joined_upon_request,
       g.membership_granted_upon = 'approval' AS is_joined_upon_approval,
       g.members_can_add_guests,
       g.members_can_add_members,
       g.members_can_announce,
       g.members_can_create_subgroups,
       g.members_can_raise_motions,
       g.members_can_start_discussions,
       s.id IS NULL
           OR (s.state IN ('active', 'on_hold', 'pending')
               AND (s.expires_at IS NULL OR s.expires_at > :now::timestamp)) AS has_active_subscription,
       mine.id IS NOT NULL AS am_member,
       mine.admin IS TRUE AS am_admin,
       above.id IS NOT NULL AS am_parent_member,
       above.admin IS TRUE AS am_parent_admin,
       (g.token = :group_token::varchar) IS TRUE AS hold_its_token,
       EXISTS (
           SELECT 1 FROM memberships m
            WHERE m.group_id = g.id AND m.token = :membership_token::varchar
              AND m.revoked_at IS NULL AND m.accepted_at IS NULL
       ) AS hold_an_invitation,
       me.email_verified IS TRUE AS am_verified,
       me.is_admin IS TRUE AS am_site_admin
  FROM groups g
  LEFT JOIN groups top ON top.id = g.parent_id
  LEFT JOIN subscriptions s ON s.id = CASE WHEN top.id IS NULL THEN g.subscription_id ELSE top.subscription_id END
  LEFT JOIN users me ON me.id = :actor_id::bigint
  LEFT JOIN memberships mine
         ON mine.group_id = g.id AND mine.user_id = me.id AND mine.revoked_at IS NULL
  LEFT JOIN memberships above
         ON above.group_id = g.parent_id AND above.user_id = me.id AND above.revoked_at IS NULL
 WHERE g.id = ANY(:ids::bigint[])

-- name: membership_facts
-- What decides what somebody may do with these memberships.
SELECT m.id,
       m.accepted_at IS NOT NULL AS is_accepted,
       (m.user_id = :actor_id::bigint) IS TRUE AS is_mine,
       (m.inviter_id = :actor_id::bigint) IS TRUE AS am_inviter,
       mine.id IS NOT NULL AS am_group_member,
       mine.admin IS TRUE AS am_group_admin,
       above.admin IS TRUE AS am_parent_admin,
       EXISTS (
           SELECT 1 FROM memberships a WHERE a.group_id = m.group_id AND a.admin AND a.revoked_at IS NULL
       ) AS has_group_admins,
       me.is_admin IS TRUE AS am_site_admin
  FROM memberships m
  LEFT JOIN groups g ON g.id = m.group_id
  LEFT JOIN users me ON me.id = :actor_id::bigint
  LEFT JOIN memberships mine
         ON mine.group_id = g.id AND mine.user_id = me.id AND mine.revoked_at IS NULL
  LEFT JOIN memberships above
         ON above.group_id = g.parent_id AND above.user_id = me.id AND above.revoked_at IS NULL
 WHERE m.id = ANY(:ids::bigint[])

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
