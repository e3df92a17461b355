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

-- name: invited_reader
-- The guest whom a token stands for, if nobody took the place yet and this person may.
SELECT r.id, r.discussion_id, r.inviter_id
  FROM discussion_readers r
  JOIN users u ON u.id = r.user_id
 WHERE r.token = :token::varchar
   AND r.revoked_at IS NULL AND r.guest AND r.accepted_at IS NULL
   AND (r.user_id = :user_id::bigint OR NOT u.email_verified)
   FOR UPDATE OF r

-- name: accept_as_reader
-- Somebody who reads the thread already has come, by the invitation of this inviter.
UPDATE discussion_readers
   SET inviter_id = :inviter_id::bigint, accepted_at = :now::timestamp, updated_at = :now::timestamp
 WHERE discussion_id = :discussion_id::bigint AND user_id = :user_id::bigint AND id <> :other_than::bigint
RETURNING id

-- name: hand_reader_over
-- A guest has come.
UPDATE discussion_readers
   SET user_id = :user_id::bigint, accepted_at = :now::timestamp, updated_at = :now::timestamp
 WHERE id = :id::bigint

-- name: leave_reader
-- A place that nobody needs.
DELETE FROM discussion_readers WHERE id = :id::bigint

-- name: recount_readers
-- A thread's numbers of readers.
UPDATE discussions d
   SET members_count = counted.members, seen_by_count = counted.seen, updated_at = :now::timestamp
  FROM (SELECT count(*) FILTER (WHERE revoked_at IS NULL) AS members,
               count(*) FILTER (WHERE last_read_at IS NOT NULL) AS seen
          FROM discussion_readers
         WHERE discussion_id = :id::bigint) counted
 WHERE d.id = :id::bigint
   AND (d.members_count, d.seen_by_count) IS DISTINCT FROM (counted.members, counted.seen)
