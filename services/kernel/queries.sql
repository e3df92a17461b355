-- name: account
-- What decides whether a cookie still speaks for this person, and what answers depend on.
SELECT id, email::text AS email, encrypted_password, deactivated_at, locked_at, remember_token, remember_created_at,
       selected_locale, detected_locale, secret_token
  FROM users
 WHERE id = :id::bigint

-- name: account_of_key
-- The account that has this API key, unless it is closed.
SELECT id, email::text AS email, encrypted_password, deactivated_at, locked_at, remember_token, remember_created_at,
       selected_locale, detected_locale, secret_token
  FROM users
 WHERE api_key = :key::varchar AND deactivated_at IS NULL
 ORDER BY id
 LIMIT 1

-- name: tables_in_reach
-- The tables of schema banyan that we may read. No right to the schema, no table of it.
SELECT c.relname::text AS name
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'banyan' AND c.relkind IN ('r', 'p')
   AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')

-- name: migrations_applied
-- The numbers of our migrations that were applied.
SELECT number FROM banyan.migrations WHERE part = 'services'
