-- name: authors
-- People by id, with the picture that they uploaded, if any.
SELECT u.id, u.name, u.email::text AS email, u.username, u.avatar_initials, u.avatar_kind, u.time_zone,
       u.selected_locale, u.detected_locale, u.created_at, u.experiences, u.email_verified, u.bot, u.deactivated_at,
       b.id AS avatar_blob_id, b.filename AS avatar_filename, b.content_type AS avatar_content_type
  FROM users u
  LEFT JOIN active_storage_attachments a
         ON a.record_type = 'User' AND a.record_id = u.id AND a.name = 'uploaded_avatar'
  LEFT JOIN active_storage_blobs b ON b.id = a.blob_id
 WHERE u.id = ANY(:ids::bigint[])

-- name: persons
-- People by id, with all that they see of themselves.
SELECT u.id, u.name, u.email::text AS email, u.username, u.avatar_initials, u.avatar_kind, u.time_zone,
       u.selected_locale, u.detected_locale, u.created_at, u.experiences, u.email_verified, u.bot, u.deactivated_at,
       b.id AS avatar_blob_id, b.filename AS avatar_filename, b.content_type AS avatar_content_type,
       u.short_bio, u.short_bio_format, u.content_locale, u.location,
       coalesce(u.encrypted_password, '') <> '' AS has_password, u.autodetect_time_zone, u.attachments,
       u.date_time_pref, u.complaints_count, u.sign_in_count, u.email_when_proposal_closing_soon,
       u.email_catch_up_day, u.email_when_mentioned, u.email_on_participation, u.default_membership_volume,
       u.email_newsletter, u.is_admin, u.memberships_count, u.secret_token, u.auto_translate, u.legal_accepted_at,
       u.unsubscribe_token
  FROM users u
  LEFT JOIN active_storage_attachments a
         ON a.record_type = 'User' AND a.record_id = u.id AND a.name = 'uploaded_avatar'
  LEFT JOIN active_storage_blobs b ON b.id = a.blob_id
 WHERE u.id = ANY(:ids::bigint[])

-- name: id_of_email
-- Who has this address; capitals make no difference.
SELECT id FROM users WHERE email = :email::citext ORDER BY id LIMIT 1

-- name: id_without_email
-- Somebody whose account was erased.
SELECT id FROM users WHERE email IS NULL ORDER BY id LIMIT 1

-- name: id_of_unsubscribe_token
-- Whose mails carry this token.
SELECT id FROM users WHERE unsubscribe_token = :token::varchar ORDER BY id LIMIT 1

-- name: group_ids
-- The unarchived groups that somebody is in.
SELECT g.id
  FROM memberships m
  JOIN groups g ON g.id = m.group_id AND g.archived_at IS NULL
 WHERE m.user_id = :id::bigint AND m.revoked_at IS NULL
 ORDER BY m.id

-- name: pending_login_token
-- A mailed link that was followed. The account is the verified one of the same address, where there is one.
SELECT t.id, :token::varchar AS token, t.used, t.is_reactivation, t.created_at, t.redirect, coalesce(v.id, u.id) AS user_id
  FROM login_tokens t
  JOIN users u ON u.id = t.user_id
  LEFT JOIN users v ON v.email = u.email AND v.email_verified
 WHERE t.token = :token::varchar
 ORDER BY t.id
 LIMIT 1

-- name: pending_identity
-- An identity of another service that waits to be somebody's.
SELECT id, identity_type, email::text AS email, name, logo FROM omniauth_identities WHERE id = :id::bigint

-- name: pending_membership
-- An invitation to a group that nobody accepted yet.
SELECT :token::varchar AS token, user_id::bigint AS user_id, group_id::bigint AS group_id
  FROM memberships
 WHERE token = :token::varchar AND revoked_at IS NULL AND accepted_at IS NULL
 ORDER BY id
 LIMIT 1

-- name: pending_reader
-- An invitation to a thread that nobody accepted yet.
SELECT :token::varchar AS token, user_id::bigint AS user_id, NULL::bigint AS group_id
  FROM discussion_readers
 WHERE token = :token::varchar AND revoked_at IS NULL AND guest AND accepted_at IS NULL
 ORDER BY id
 LIMIT 1

-- name: pending_stance
-- A vote that somebody was asked for.
SELECT :token::varchar AS token, participant_id::bigint AS user_id, NULL::bigint AS group_id
  FROM stances
 WHERE token = :token::varchar
 ORDER BY id
 LIMIT 1

-- name: pending_group
-- A group whose shared link was followed.
SELECT :token::varchar AS token, NULL::bigint AS user_id, id::bigint AS group_id
  FROM groups
 WHERE token = :token::varchar
 ORDER BY id
 LIMIT 1

-- name: add_version
-- A step in the history of an account. Nobody is named as who did it: nobody was signed in.
INSERT INTO versions (item_type, item_id, event, created_at, object_changes)
VALUES ('User', :id::integer, :event::varchar, :now::timestamp, :changes::jsonb)

-- name: open_account_ids
-- Whether an account is there, and not closed.
SELECT id FROM users WHERE id = :id::bigint AND deactivated_at IS NULL

-- name: closed_account
-- An account that is closed; of those who reopen it at the same time the first finds it so.
SELECT id, name, email::text AS email, coalesce(deactivated_at, 'epoch') AS deactivated_at
  FROM users
 WHERE id = :id::bigint AND deactivated_at IS NOT NULL
   FOR UPDATE

-- name: restore_memberships
-- The memberships that ended with the account.
UPDATE memberships SET revoked_at = NULL, revoker_id = NULL
 WHERE user_id = :id::bigint AND revoked_at = :closed_at::timestamp

-- name: recount_groups_of
-- The numbers of members of all groups that somebody is or was in.
UPDATE groups g
   SET memberships_count = counted.number, updated_at = :now::timestamp
  FROM (SELECT group_id, count(*) FILTER (WHERE revoked_at IS NULL) AS number
          FROM memberships
         WHERE group_id IN (SELECT group_id FROM memberships WHERE user_id = :id::bigint)
         GROUP BY group_id) counted
 WHERE g.id = counted.group_id AND g.memberships_count <> counted.number

-- name: reopen_account
-- An account is closed no longer; its picture's letters are the name's again.
UPDATE users
   SET deactivated_at = NULL, avatar_initials = :initials::varchar, updated_at = :now::timestamp
 WHERE id = :id::bigint

-- name: user_facts
-- What decides what somebody may do with these accounts.
SELECT u.id,
       u.deactivated_at IS NULL AS is_active,
       u.email IS NOT NULL AS has_email,
       (u.id = :actor_id::bigint) IS TRUE AS is_mine,
       :actor_id::bigint IS NOT NULL AS am_signed_in,
       me.is_admin IS TRUE AS am_site_admin
  FROM users u
  LEFT JOIN users me ON me.id = :actor_id::bigint
 WHERE u.id = ANY(:ids::bigint[])

-- name: contact_facts
-- What two people have in common. Threads and polls of groups make a group common; the rest have none.
WITH guests AS (
    SELECT r.user_id, r.discussion_id, d.group_id
      FROM discussion_readers r
      JOIN discussions d ON d.id = r.discussion_id
     WHERE r.user_id IN (:id::bigint, :actor_id::bigint) AND r.guest AND r.revoked_at IS NULL
), voters AS (
    SELECT v.participant_id AS user_id, v.poll_id, p.group_id
      FROM stances v
      JOIN polls p ON p.id = v.poll_id
     WHERE v.participant_id IN (:id::bigint, :actor_id::bigint)
), circles AS (
    SELECT user_id, group_id FROM memberships WHERE user_id IN (:id::bigint, :actor_id::bigint)
    UNION ALL
    SELECT requestor_id, group_id FROM membership_requests WHERE requestor_id IN (:id::bigint, :actor_id::bigint)
    UNION ALL
    SELECT user_id, group_id FROM guests
    UNION ALL
    SELECT user_id, group_id FROM voters
)
SELECT EXISTS (
           SELECT 1 FROM circles mine JOIN circles theirs USING (group_id)
            WHERE mine.user_id = :actor_id::bigint AND theirs.user_id = :id::bigint
       ) AS shares_a_group,
       EXISTS (
           SELECT 1 FROM guests mine JOIN guests theirs USING (discussion_id)
            WHERE mine.user_id = :actor_id::bigint AND theirs.user_id = :id::bigint
       ) AS shares_a_thread,
       EXISTS (
           SELECT 1 FROM voters mine JOIN voters theirs USING (poll_id)
            WHERE mine.user_id = :actor_id::bigint AND theirs.user_id = :id::bigint
       ) AS shares_a_poll
