-- name: account
-- What decides whether a cookie still speaks for this person, and what answers depend on.
SELECT id, email::text AS email, encrypted_password, deactivated_at, locked_at, remember_token, remember_created_at,
       selected_locale, detected_locale
  FROM users
 WHERE id = :id::bigint
