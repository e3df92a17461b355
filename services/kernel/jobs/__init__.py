# SPDX-License-Identifier: AGPL-3.0-or-later
"""Work that is done after the answer: a queue in PostgreSQL.

    kind     a `Kind` says what a job is: its payload, what it does, how often it is tried     (kinds)
    enqueue  `queue.enqueue(session, KIND, payload)` in the caller's transaction: no commit, no job   (queue)
    run      `worker` takes jobs, several at once, in processes of their own                    (worker)
    last     PostgreSQL away, and back                                                          (lasting)
    later    `schedules` enqueue jobs by the clock; those that Rails has, too, are off by default (schedules)
    bridge   jobs for Sidekiq leave by the outbox; jobs from Sidekiq come in once each          (sidekiq)

PgQueuer keeps the queue (decision 0012): picking, heartbeats, retries, holding what failed for good, cron. Ours is
what it lacks:

    * A job's statements and the mark that it is done are one transaction. A worker that is killed in the middle leaves
      nothing, and the job runs again elsewhere; one that is killed after the commit leaves a mark, and the job does
      not run again. So what a job does to the database happens exactly once, and the rest (mail, say) at least once.
    * A worker that is told to stop finishes what it has, up to a limit, and puts the rest back.
    * Typed payloads, jobs that are there only once, progress, and the request id of whoever asked.

Vocabulary: a job is *queued*, *picked* (it runs), or *failed* (all tries are used up: a dead letter, kept until
somebody retries or discards it).
"""
