-- SPDX-License-Identifier: AGPL-3.0-or-later

-- name: outbox_add
-- Something to tell; nothing where the same key waits already.
INSERT INTO banyan.outbox (target, name, payload, key)
VALUES (:target::text, :name::text, :payload::text, :key::text)
ON CONFLICT (key) DO NOTHING RETURNING id

-- name: outbox_turn
-- Waits for this publisher's turn, until the transaction ends. No row: another has it.
SELECT true AS mine WHERE pg_try_advisory_xact_lock(7065218904417234)

-- name: outbox_first
-- The oldest rows.
SELECT id, target, name, payload FROM banyan.outbox ORDER BY id LIMIT :most::integer

-- name: outbox_told
-- Deletes rows that were told.
DELETE FROM banyan.outbox WHERE id = ANY(:ids::bigint[]) RETURNING id

-- name: outbox_waiting
-- How many rows wait, and since when the oldest does, in seconds.
SELECT count(*) AS number, COALESCE(EXTRACT(EPOCH FROM now() - min(at)), 0)::float8 AS seconds FROM banyan.outbox
