-- name: discussion_facts
-- What decides what somebody may do with these threads; without a group, what Loomio says of direct threads.
SELECT d.id,
       true AS is_saved,
       d.discarded_at IS NULL AS is_kept,
       d.closed_at IS NOT NULL AS is_closed,
       d.private = false AS is_public,
       d.group_id IS NOT NULL AS has_group,
       g.archived_at IS NOT NULL AS is_in_archived_group,
       g.admins_can_edit_user_content IS TRUE AS admins_can_edit_user_content,
       coalesce(g.members_can_add_guests, true) AS members_can_add_guests,
       coalesce(g.members_can_announce, true) AS members_can_announce,
       g.id IS NULL OR g.members_can_delete_comments IS TRUE AS members_can_delete_comments,
       g.id IS NULL OR g.members_can_edit_comments IS TRUE AS members_can_edit_comments,
       coalesce(g.members_can_edit_discussions, true) AS members_can_edit_discussions,
       (
           SELECT s.allow_guests
             FROM groups top
             JOIN subscriptions s ON s.id = top.subscription_id
            WHERE top.id = coalesce(g.parent_id, g.id)
       ) IS NOT FALSE AS allows_guests,
       :actor_id::bigint IS NOT NULL AS am_signed_in,
       (d.author_id = :actor_id::bigint) IS TRUE AS am_author,
       mine.id IS NOT NULL AS am_group_member,
       mine.admin IS TRUE AS am_group_admin,
       r.guest IS TRUE AS am_guest,
       r.admin IS TRUE AS am_admin,
       (g.parent_members_can_see_discussions AND EXISTS (
           SELECT 1
             FROM memberships m
             JOIN groups p ON p.id = m.group_id
            WHERE m.group_id = g.parent_id AND m.user_id = :actor_id::bigint
              AND m.revoked_at IS NULL AND p.archived_at IS NULL
       )) IS TRUE AS is_open_to_me_as_parent_member,
       EXISTS (
           SELECT 1
             FROM discussion_readers t
            WHERE t.discussion_id = d.id AND t.token = :reader_token::varchar
              AND t.guest AND t.revoked_at IS NULL
       ) AS hold_its_token
  FROM discussions d
  LEFT JOIN groups g ON g.id = d.group_id
  LEFT JOIN memberships mine
         ON mine.group_id = g.id AND mine.user_id = :actor_id::bigint AND mine.revoked_at IS NULL
  LEFT JOIN discussion_readers r
         ON r.discussion_id = d.id AND r.user_id = :actor_id::bigint AND r.revoked_at IS NULL
 WHERE d.id = ANY(:ids::bigint[])

-- name: reader_facts
-- What decides, with their threads, what somebody may do with these people's places in threads.
SELECT id,
       discussion_id,
       (user_id = :actor_id::bigint) IS TRUE AS is_mine,
       guest AS is_guest,
       accepted_at IS NOT NULL AS is_accepted,
       revoked_at IS NOT NULL AS is_revoked
  FROM discussion_readers
 WHERE id = ANY(:ids::bigint[])

-- name: discussion_id_of_key
-- The thread with this key.
SELECT id FROM discussions WHERE key = :key::varchar
