# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the services do when PostgreSQL or Redis is away, slow or restarted, under load.

    python -m loadtests.chaos_services [--seconds 3] [--workers 2] [--clients 6] [--json PATH]

    load    clients that ask without end, and what they were answered, by what the answer needs
    work    somebody who writes without end: each time a job and a message in one transaction
    world   PostgreSQL, a durable Valkey, `banyan services`, a process for jobs, all on ports of their own
    phases  what is broken, one thing after the other, and what may be answered meanwhile

Claims, each of which is judged by itself:
    * Every answer is 200, or 503 with `Retry-After` and only where the answer needs what is away.
    * Two seconds after the end of what was broken, everything is answered (told as a time).
    * At the end no connection is stuck, and whatever was committed was done: each job's effect is there once, each
      message is in Redis at least once, and nothing of what was rolled back.
"""
