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

-- name: groups_told
-- Groups by id, as they are told, with the memberships and tags that `member_id` has there.
SELECT g.id, g.key, g.handle::text AS handle, g.name, p.name AS parent_name, g.content_locale, g.description,
       g.description_format, g.created_at, g.creator_id, g.members_can_add_members, g.members_can_add_guests,
       g.members_can_announce, g.members_can_create_subgroups, g.members_can_start_discussions,
       g.members_can_edit_discussions, g.members_can_edit_comments, g.members_can_delete_comments,
       g.members_can_raise_motions, g.admins_can_edit_user_content, g.polls_count, g.poll_templates_count,
       g.closed_polls_count, g.discussions_count, g.public_discussions_count, g.listed_in_explore,
       g.memberships_count, g.delegates_count, g.pending_memberships_count, g.membership_granted_upon,
       g.discussion_privacy_options, g.admin_memberships_count, g.archived_at, g.attachments, g.link_previews,
       g.new_threads_max_depth, g.new_threads_newest_first, g.open_discussions_count, g.closed_discussions_count,
       g.discussion_templates_count, g.recent_activity_count, g.is_visible_to_public, g.is_visible_to_parent_members,
       g.parent_members_can_see_discussions, g.subgroups_count, g.category, g.request_to_join_prompt,
       g.can_start_polls_without_discussion, g.info, g.parent_id IS NULL AS is_top,
       coalesce(org.discussions_count, 0)::bigint AS org_discussions_count,
       coalesce(org.members_count, 0) AS org_members_count,
       (SELECT jsonb_build_array(b.id, b.filename, b.content_type)
          FROM active_storage_attachments a
          JOIN active_storage_blobs b ON b.id = a.blob_id
         WHERE a.record_type = 'Group' AND a.record_id = g.id AND a.name = 'logo'
         ORDER BY a.id LIMIT 1) AS logo,
       (SELECT jsonb_build_array(b.id, b.filename, b.content_type)
          FROM active_storage_attachments a
          JOIN active_storage_blobs b ON b.id = a.blob_id
         WHERE a.record_type = 'Group' AND a.record_id = p.id AND a.name = 'logo'
         ORDER BY a.id LIMIT 1) AS parent_logo,
       (SELECT jsonb_build_array(b.id, b.filename, b.content_type)
          FROM active_storage_attachments a
          JOIN active_storage_blobs b ON b.id = a.blob_id
         WHERE a.record_type = 'Group' AND a.record_id = g.id AND a.name = 'cover_photo'
         ORDER BY a.id LIMIT 1) AS cover,
       (SELECT jsonb_build_array(b.id, b.filename, b.content_type)
          FROM active_storage_attachments a
          JOIN active_storage_blobs b ON b.id = a.blob_id
         WHERE a.record_type = 'Group' AND a.record_id = p.id AND a.name = 'cover_photo'
         ORDER BY a.id LIMIT 1) AS parent_cover,
       s.id IS NOT NULL AS has_subscription,
       s.max_members AS subscription_max_members, s.max_threads AS subscription_max_threads,
       s.allow_subgroups AS subscription_allow_subgroups, s.plan AS subscription_plan, s.state AS subscription_state,
       s.renews_at AS subscription_renews_at, s.expires_at AS subscription_expires_at,
       s.members_count AS subscription_members_count,
       p.id AS parent_id,
       mine.id AS current_user_membership_id,
       ARRAY(SELECT t.id FROM tags t WHERE t.group_id = g.id ORDER BY t.id) AS tag_ids
  FROM groups g
  LEFT JOIN groups p ON p.id = g.parent_id
  LEFT JOIN subscriptions s ON s.id = g.subscription_id
  LEFT JOIN memberships mine
         ON mine.group_id = g.id AND mine.user_id = :member_id::bigint AND mine.revoked_at IS NULL
  LEFT JOIN LATERAL (
      SELECT sum(o.discussions_count) AS discussions_count,
             (SELECT count(DISTINCT m.user_id) FROM memberships m
               WHERE m.group_id = ANY(array_agg(o.id)) AND m.revoked_at IS NULL) AS members_count
        FROM groups o
       WHERE o.id = g.id OR (o.parent_id = g.id AND o.archived_at IS NULL)
  ) org ON g.parent_id IS NULL
 WHERE g.id = ANY(:ids::bigint[])

-- name: memberships_told
-- Memberships by id, as they are told.
SELECT m.id, m.group_id, m.user_id, m.inviter_id, m.volume, m.admin, m.delegate, m.experiences, m.title,
       m.created_at, m.accepted_at, u.email::text AS user_email
  FROM memberships m
  LEFT JOIN users u ON u.id = m.user_id
 WHERE m.id = ANY(:ids::bigint[])

-- name: memberships_in
-- How many memberships a group has, revoked ones too; with one of their moments between two, if these are given.
SELECT count(*)
  FROM memberships
 WHERE group_id = :group_id::bigint
   AND ((:since::timestamp IS NULL AND :until::timestamp IS NULL)
        OR CASE :by::text WHEN 'updated_at' THEN updated_at
                          WHEN 'accepted_at' THEN accepted_at
                          WHEN 'revoked_at' THEN revoked_at
                          WHEN 'saml_session_expires_at' THEN saml_session_expires_at
                          ELSE created_at END
           BETWEEN coalesce(:since::timestamp, '-infinity') AND coalesce(:until::timestamp, 'infinity'))

-- name: membership_ids_in
-- A page of these.
SELECT id
  FROM memberships
 WHERE group_id = :group_id::bigint
   AND ((:since::timestamp IS NULL AND :until::timestamp IS NULL)
        OR CASE :by::text WHEN 'updated_at' THEN updated_at
                          WHEN 'accepted_at' THEN accepted_at
                          WHEN 'revoked_at' THEN revoked_at
                          WHEN 'saml_session_expires_at' THEN saml_session_expires_at
                          ELSE created_at END
           BETWEEN coalesce(:since::timestamp, '-infinity') AND coalesce(:until::timestamp, 'infinity'))
 ORDER BY id
OFFSET :first::bigint LIMIT :number::bigint

-- name: tags_told
-- Tags by id.
SELECT id, name::text AS name, color, taggings_count, org_taggings_count, group_id, priority
  FROM tags
 WHERE id = ANY(:ids::bigint[])

-- name: explored_ids
-- A page of the directory, in one of four orders.
SELECT id
  FROM groups
 WHERE listed_in_explore AND parent_id IS NULL AND archived_at IS NULL
   AND (:pattern::text IS NULL OR name ILIKE :pattern::text OR description ILIKE :pattern::text)
 ORDER BY CASE WHEN :by::text = 'memberships_count' THEN memberships_count END DESC,
          CASE WHEN :by::text = 'memberships_count_asc' THEN memberships_count END,
          CASE WHEN :by::text = 'created_at' THEN created_at END DESC,
          CASE WHEN :by::text = 'created_at_asc' THEN created_at END,
          id
OFFSET :first::bigint LIMIT :number::bigint

-- name: inside_ids
-- The groups that somebody sees as a member, as a guest of a thread, or from the group above.
WITH mine AS (
    SELECT m.group_id AS id
      FROM memberships m
      JOIN groups g ON g.id = m.group_id AND g.archived_at IS NULL
     WHERE m.user_id = :viewer_id::bigint AND m.revoked_at IS NULL
     UNION
    SELECT d.group_id
      FROM discussion_readers r
      JOIN discussions d ON d.id = r.discussion_id
     WHERE r.user_id = :viewer_id::bigint AND r.guest AND r.revoked_at IS NULL
)
SELECT g.id FROM groups g JOIN mine ON mine.id = g.id WHERE g.archived_at IS NULL
 UNION
SELECT g.id FROM groups g JOIN mine ON mine.id = g.parent_id WHERE g.archived_at IS NULL AND g.is_visible_to_parent_members
 ORDER BY id

-- name: visible_ids
-- Those of these groups that somebody sees: from inside, as above, or because everybody does.
WITH mine AS (
    SELECT m.group_id AS id
      FROM memberships m
      JOIN groups g ON g.id = m.group_id AND g.archived_at IS NULL
     WHERE m.user_id = :viewer_id::bigint AND m.revoked_at IS NULL
     UNION
    SELECT d.group_id
      FROM discussion_readers r
      JOIN discussions d ON d.id = r.discussion_id
     WHERE r.user_id = :viewer_id::bigint AND r.guest AND r.revoked_at IS NULL
)
SELECT g.id
  FROM groups g
 WHERE g.id = ANY(:ids::bigint[]) AND g.archived_at IS NULL
   AND (g.is_visible_to_public
        OR g.id IN (SELECT id FROM mine)
        OR (g.is_visible_to_parent_members AND g.parent_id IN (SELECT id FROM mine)))
 ORDER BY g.id

-- name: subgroup_ids
-- The groups that lie in another.
SELECT id FROM groups WHERE parent_id = :id::bigint AND archived_at IS NULL ORDER BY id

-- name: invitation
-- The membership that a token stands for, if nobody accepted it yet.
SELECT id, coalesce(group_id, 0) AS group_id, coalesce(user_id, 0) AS user_id, inviter_id, admin, title, volume,
       revoked_at, revoker_id, accepted_at
  FROM memberships
 WHERE token = :token::varchar AND revoked_at IS NULL AND accepted_at IS NULL

-- name: places
-- The memberships of these people in the organisation of a group: the top group, and those in it that are not
-- archived.
SELECT m.id, g.id AS group_id, coalesce(m.user_id, 0) AS user_id, m.inviter_id, m.admin, m.title, m.volume,
       m.revoked_at, m.revoker_id, m.accepted_at
  FROM groups asked
  JOIN groups g ON g.id = coalesce(asked.parent_id, asked.id)
                OR (g.parent_id = coalesce(asked.parent_id, asked.id) AND g.archived_at IS NULL)
  JOIN memberships m ON m.group_id = g.id
 WHERE asked.id = :group_id::bigint AND m.user_id = ANY(:people::bigint[])
 ORDER BY m.id
   FOR UPDATE OF m

-- name: take_places
-- A membership is this person's, and accepted.
UPDATE memberships
   SET user_id = :user_id::bigint, inviter_id = :inviter_id::bigint, revoked_at = NULL, revoker_id = NULL,
       accepted_at = :now::timestamp, updated_at = :now::timestamp
 WHERE id = :id::bigint

-- name: delete_places
-- Memberships that nobody needs, with what was told of them.
WITH told AS (
    DELETE FROM events WHERE eventable_type = 'Membership' AND eventable_id = ANY(:ids::bigint[]) RETURNING id
), noticed AS (
    DELETE FROM notifications WHERE event_id IN (SELECT id FROM told)
)
DELETE FROM memberships WHERE id = ANY(:ids::bigint[])

-- name: add_membership_version
-- A step in the history of a membership. Nobody is named as who did it, as in Loomio.
INSERT INTO versions (item_type, item_id, event, created_at, object_changes)
VALUES ('Membership', :id::integer, :event::varchar, :now::timestamp, :changes::jsonb)

-- name: recount_members
-- The numbers of members of these groups.
UPDATE groups g
   SET memberships_count = counted.members, pending_memberships_count = counted.pending,
       admin_memberships_count = counted.admins, delegates_count = counted.delegates, updated_at = :now::timestamp
  FROM (SELECT group_id, count(*) AS members, count(*) FILTER (WHERE accepted_at IS NULL) AS pending,
               count(*) FILTER (WHERE admin) AS admins, count(*) FILTER (WHERE delegate) AS delegates
          FROM memberships
         WHERE group_id = ANY(:ids::bigint[]) AND revoked_at IS NULL
         GROUP BY group_id) counted
 WHERE g.id = counted.group_id
   AND (g.memberships_count, g.pending_memberships_count, g.admin_memberships_count, g.delegates_count)
       IS DISTINCT FROM (counted.members, counted.pending, counted.admins, counted.delegates)

-- name: recount_memberships
-- In how many groups these people are.
UPDATE users u
   SET memberships_count = counted.number, updated_at = :now::timestamp
  FROM (SELECT asked.id, count(m.id) AS number
          FROM unnest(:ids::bigint[]) AS asked(id)
          LEFT JOIN memberships m ON m.user_id = asked.id AND m.revoked_at IS NULL
         GROUP BY asked.id) counted
 WHERE u.id = counted.id AND u.memberships_count <> counted.number

-- name: be_member_in_threads
-- Who is a member of these groups is no guest of their threads any more, nor kept out of them.
UPDATE discussion_readers r
   SET guest = false, revoked_at = NULL, revoker_id = NULL
  FROM discussions d
 WHERE d.id = r.discussion_id AND r.user_id = :user_id::bigint AND d.group_id = ANY(:groups::bigint[])

-- name: be_member_in_polls
-- Nor of their polls; votes that were taken away count again as long as the poll is open.
UPDATE stances s
   SET guest = false,
       revoked_at = CASE WHEN p.closed_at IS NULL THEN NULL ELSE s.revoked_at END,
       revoker_id = CASE WHEN p.closed_at IS NULL AND s.revoked_at IS NOT NULL THEN NULL ELSE s.revoker_id END
  FROM polls p
 WHERE p.id = s.poll_id AND s.participant_id = :user_id::bigint AND p.group_id = ANY(:groups::bigint[])

-- name: add_invitation_accepted
-- Somebody is a member now: for the inviter, and for whoever looks at the group.
INSERT INTO events (kind, eventable_type, eventable_id, eventable_version_id, user_id, created_at, updated_at)
SELECT 'invitation_accepted', 'Membership', m.id,
       (SELECT max(v.id) FROM versions v WHERE v.item_type = 'Membership' AND v.item_id = m.id),
       :user_id::integer, :now::timestamp, :now::timestamp
  FROM memberships m
 WHERE m.group_id = :group_id::bigint AND m.user_id = :user_id::integer AND m.accepted_at IS NOT NULL
RETURNING id

-- name: join_by_link
-- A new membership in the group of a shared link, unless there is or was one.
INSERT INTO memberships (group_id, user_id, volume, token, created_at, updated_at)
SELECT g.id, u.id, u.default_membership_volume, :token::varchar, :now::timestamp, :now::timestamp
  FROM groups g, users u
 WHERE g.token = :link::varchar AND u.id = :user_id::bigint
   AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.group_id = g.id AND m.user_id = u.id)
 ORDER BY g.id
 LIMIT 1
RETURNING id, coalesce(group_id, 0) AS group_id, coalesce(user_id, 0) AS user_id, inviter_id, admin, title, volume,
          revoked_at, revoker_id, accepted_at
