-- SPDX-License-Identifier: AGPL-3.0-or-later

-- name: job_mark_done
-- Marks a job (or a Sidekiq job taken over) as done, in its own transaction; no row where it was before.
INSERT INTO banyan.jobs_done (name) VALUES (:name::text) ON CONFLICT DO NOTHING RETURNING name

-- name: job_tell_progress
-- How far a job is.
INSERT INTO banyan.jobs_progress (job_id, done, total) VALUES (:job_id::bigint, :done::bigint, :total::bigint)
ON CONFLICT (job_id) DO UPDATE SET done = excluded.done, total = excluded.total, at = now()

-- name: job_forget_done
-- Forgets marks and progress that nobody can ask for any more.
WITH progress AS (DELETE FROM banyan.jobs_progress WHERE at < now() - make_interval(days => :days::integer))
DELETE FROM banyan.jobs_done WHERE at < now() - make_interval(days => :days::integer)

-- name: job_forget_log
-- Forgets what PgQueuer noted of jobs long done.
DELETE FROM banyan.pgqueuer_log WHERE created < now() - make_interval(days => :days::integer)

-- name: jobs_there
-- Jobs that are queued, run or failed, by state and kind, newest first; with what the last try said.
SELECT job.id, job.entrypoint AS kind, job.status::text AS state, job.priority, job.attempts, job.created,
  job.execute_after AS due, job.headers->>'request_id' AS request_id, progress.done, progress.total,
  (SELECT entry.traceback->>'exception_message' FROM banyan.pgqueuer_log AS entry
    WHERE entry.job_id = job.id AND entry.traceback IS NOT NULL ORDER BY entry.id DESC LIMIT 1) AS error
FROM banyan.pgqueuer AS job LEFT JOIN banyan.jobs_progress AS progress ON progress.job_id = job.id
WHERE (:state::text IS NULL OR job.status::text = :state) AND (:kind::text IS NULL OR job.entrypoint = :kind)
ORDER BY job.id DESC LIMIT :most::integer

-- name: jobs_counted
-- How many jobs there are, and since when the oldest waits (seconds), by kind and state.
SELECT entrypoint AS kind, status::text AS state, count(*) AS number,
  COALESCE(max(EXTRACT(EPOCH FROM now() - execute_after)) FILTER (WHERE execute_after < now()), 0)::float8 AS waiting
FROM banyan.pgqueuer GROUP BY entrypoint, status ORDER BY entrypoint, status

-- name: jobs_retry
-- Has failed jobs tried anew, from the first try.
UPDATE banyan.pgqueuer SET status = 'queued', attempts = 0, execute_after = now(), updated = now()
WHERE status = 'failed' AND (:ids::bigint[] IS NULL OR id = ANY(:ids)) AND (:kind::text IS NULL OR entrypoint = :kind)
RETURNING id

-- name: jobs_discard
-- Drops jobs that do not run at the moment.
DELETE FROM banyan.pgqueuer
WHERE status IN ('failed', 'queued') AND id = ANY(:ids::bigint[]) RETURNING id
