-- SPDX-License-Identifier: AGPL-3.0-or-later
-- What the job queue needs beside PgQueuer's own tables, and the outbox.

-- Marks of jobs whose statements were committed (`job:ID`), and of Sidekiq jobs that were taken over (`sidekiq:JID`).
CREATE TABLE jobs_done (
  name text PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX jobs_done_at ON jobs_done (at);

CREATE TABLE jobs_progress (
  job_id bigint PRIMARY KEY,
  done bigint NOT NULL,
  total bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
);

-- What is to be told to Redis once the transaction that wrote it holds. A row goes when it was told.
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  target text NOT NULL CHECK (target IN ('publish', 'sidekiq')),
  name text NOT NULL,       -- the channel, or the queue
  payload text NOT NULL,
  key text UNIQUE,          -- the same key is not told twice while the first waits
  at timestamptz NOT NULL DEFAULT now()
);
