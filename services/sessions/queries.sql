-- name: login_of_email
-- The verified account of an address, and what signing in to it depends on.
SELECT id, email::text AS email, email_verified, encrypted_password, failed_attempts, locked_at, deactivated_at,
       remember_token, name, email_newsletter
  FROM users
 WHERE email = :email::citext AND email_verified
 ORDER BY id
 LIMIT 1

-- name: login_of_id
-- An account, and what signing in to it depends on.
SELECT id, email::text AS email, email_verified, encrypted_password, failed_attempts, locked_at, deactivated_at,
       remember_token, name, email_newsletter
  FROM users
 WHERE id = :id::bigint

-- name: count_failure
-- One more wrong password. The number is the account's after it, even where others fail at the same time.
UPDATE users SET failed_attempts = failed_attempts + 1 WHERE id = :id::bigint RETURNING failed_attempts

-- name: unlock
-- The lock's time is over.
UPDATE users
   SET locked_at = NULL, failed_attempts = 0, unlock_token = NULL, updated_at = :now::timestamp
 WHERE id = :id::bigint

-- name: lock
-- Too many wrong passwords; only one of those who fail at the same time locks, and mails.
UPDATE users
   SET locked_at = :now::timestamp, unlock_token = :digest::varchar, updated_at = :now::timestamp
 WHERE id = :id::bigint AND locked_at IS NULL
RETURNING id

-- name: locked_ids
-- Whether an address is that of a locked account.
SELECT id FROM users WHERE email = :email::citext AND locked_at IS NOT NULL

-- name: track_sign_in
-- Devise's trackable and rememberable columns, and the attempts that failed before.
UPDATE users
   SET failed_attempts = 0,
       email_verified = true,
       sign_in_count = coalesce(sign_in_count, 0) + 1,
       last_sign_in_at = coalesce(current_sign_in_at, :now::timestamp),
       current_sign_in_at = :now::timestamp,
       last_sign_in_ip = coalesce(current_sign_in_ip, :address::text::inet),
       current_sign_in_ip = :address::text::inet,
       remember_token = coalesce(remember_token, :remember_token::varchar),
       remember_created_at = coalesce(remember_created_at, :now::timestamp),
       last_seen_at = CASE WHEN :is_seen::boolean THEN :now::timestamp ELSE last_seen_at END,
       avatar_initials = :initials::varchar,
       updated_at = :now::timestamp
 WHERE id = :id::bigint
RETURNING coalesce(remember_token, '') AS remember_token

-- name: see
-- Somebody was here.
UPDATE users SET last_seen_at = :now::timestamp, updated_at = :now::timestamp WHERE id = :id::bigint

-- name: forget
-- No browser is remembered any more (Devise's forget_me!).
UPDATE users
   SET remember_token = NULL, remember_created_at = NULL, avatar_initials = :initials::varchar,
       updated_at = :now::timestamp
 WHERE id = :id::bigint AND (remember_token IS NOT NULL OR remember_created_at IS NOT NULL)

-- name: sign_out
-- No browser is remembered any more, and no socket is let in by the token of before.
UPDATE users
   SET remember_token = NULL, remember_created_at = NULL, secret_token = :secret_token::varchar,
       last_seen_at = :now::timestamp, updated_at = :now::timestamp
 WHERE id = :id::bigint

-- name: rename
-- Somebody gives their name while signing in.
UPDATE users
   SET name = :name::varchar, avatar_initials = :initials::varchar, updated_at = :now::timestamp
 WHERE id = :id::bigint

-- name: add_login_token
-- A link and a code to be mailed.
INSERT INTO login_tokens (user_id, token, code, redirect, created_at, updated_at)
VALUES (:user_id::integer, :token::varchar, :code::integer, :redirect::varchar, :now::timestamp, :now::timestamp)

-- name: token_of_code
-- The unused mailed codes of this number: whose they are, and the verified account of the same address, if any.
SELECT t.id, coalesce(t.token, '') AS token, t.used, t.is_reactivation, t.created_at, t.redirect,
       coalesce(v.id, u.id) AS user_id, coalesce(v.email, u.email)::text AS email
  FROM login_tokens t
  JOIN users u ON u.id = t.user_id
  LEFT JOIN users v ON v.email = u.email AND v.email_verified
 WHERE t.code = :code::integer AND NOT t.used AND coalesce(v.email, u.email)::text = :email::text
 ORDER BY t.id
 LIMIT 1

-- name: use_token
-- A mailed link or code does its work. No row where it has done it: of several at the same time one gets it.
UPDATE login_tokens SET used = true, updated_at = :now::timestamp
 WHERE token = :token::varchar AND NOT used RETURNING id

-- name: detect_locale
-- The language that somebody's browser asks for.
UPDATE users
   SET detected_locale = :locale::varchar, updated_at = :now::timestamp
 WHERE id = :id::bigint AND detected_locale IS DISTINCT FROM :locale::varchar

-- name: adopt_identity
-- An identity of another service is somebody's from now on.
UPDATE omniauth_identities
   SET user_id = :user_id::integer, updated_at = :now::timestamp
 WHERE id = :id::bigint AND user_id IS DISTINCT FROM :user_id::integer

-- name: unverified_of_email
-- An account of this address that nobody has proven to be theirs; without an address, any such.
SELECT id, email::text AS email, email_verified, encrypted_password, failed_attempts, locked_at, deactivated_at,
       remember_token, name, email_newsletter
  FROM users
 WHERE email IS NOT DISTINCT FROM :email::citext AND NOT email_verified
 ORDER BY id
 LIMIT 1

-- name: others_of_email
-- Other accounts of this address.
SELECT id FROM users
 WHERE email IS NOT DISTINCT FROM :email::citext AND id IS DISTINCT FROM :id::bigint
 LIMIT 1

-- name: usernames_taken
-- Whether a name is somebody's.
SELECT id FROM users WHERE username = :name::varchar

-- name: keys_taken
-- Whether a key is somebody's.
SELECT id FROM users WHERE key = :key::varchar

-- name: add_user
-- A new account, of which little more than the address is known.
INSERT INTO users (email, email_verified, name, username, key, avatar_initials, unsubscribe_token, email_api_key,
                   api_key, secret_token, created_at, updated_at)
VALUES (:email::citext, :verified::boolean, :name::varchar, :username::varchar, :key::varchar, :initials::varchar,
        :unsubscribe_token::varchar, :email_api_key::varchar, :api_key::varchar, :secret_token::varchar,
        :now::timestamp, :now::timestamp)
RETURNING id

-- name: complete_user
-- What somebody says of themselves when they sign up.
UPDATE users
   SET name = :name::varchar, avatar_initials = :initials::varchar, email_newsletter = :newsletter::boolean,
       legal_accepted_at = CASE WHEN :accepted::boolean THEN :now::timestamp ELSE legal_accepted_at END,
       updated_at = :now::timestamp
 WHERE id = :id::bigint

-- name: identity_owner
-- Whose identity of another service this is.
SELECT user_id::bigint AS user_id FROM omniauth_identities WHERE id = :id::bigint

-- name: hold_uid
-- Whoever else comes back with the same uid waits until this transaction ends; no index keeps them apart.
SELECT 1 AS held FROM pg_advisory_xact_lock(hashtextextended(:what::text, 0))

-- name: identity_of_uid
-- An identity of another service, by what that service calls it.
SELECT id, user_id::bigint AS user_id
  FROM omniauth_identities
 WHERE identity_type = :identity_type::varchar AND uid = :uid::varchar
 ORDER BY id
 LIMIT 1

-- name: add_identity
-- A new identity, perhaps already somebody's.
INSERT INTO omniauth_identities (user_id, identity_type, uid, email, name, logo, access_token, created_at, updated_at)
VALUES (:user_id::integer, :identity_type::varchar, :uid::varchar, :email::varchar, :name::varchar, :logo::varchar,
        :access_token::varchar, :now::timestamp, :now::timestamp)
RETURNING id

-- name: update_identity
-- What a service says of somebody now. What it does not tell stays.
UPDATE omniauth_identities
   SET email = :email::varchar, name = coalesce(:name::varchar, name), logo = coalesce(:logo::varchar, logo),
       access_token = :access_token::varchar, updated_at = :now::timestamp
 WHERE id = :id::bigint
   AND (email, name, logo, access_token) IS DISTINCT FROM
       (:email::varchar, coalesce(:name::varchar, name), coalesce(:logo::varchar, logo), :access_token::varchar)

-- name: delete_identity
-- Somebody is not known to a service any more.
DELETE FROM omniauth_identities
 WHERE id = (SELECT id
               FROM omniauth_identities
              WHERE user_id = :user_id::integer AND identity_type = :identity_type::varchar
              ORDER BY id
              LIMIT 1)
RETURNING id

-- name: force_attributes
-- Name and address as another service has them.
UPDATE users
   SET name = :name::varchar, email = :email::citext, avatar_initials = :initials::varchar,
       updated_at = :now::timestamp
 WHERE id = :id::bigint
