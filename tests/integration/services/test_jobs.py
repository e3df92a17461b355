# SPDX-License-Identifier: AGPL-3.0-or-later
"""Jobs as they are used: enqueued in transactions, run by worker processes that are stopped, killed and cut off."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from banyan.embedded import ValkeyServer
from contracts.corpus import Corpus
from services.kernel.clock import system_clock
from services.kernel.db import Database
from services.kernel.jobs import queue
from services.kernel.jobs.kinds import by_name
from services.kernel.jobs.worker import Worker
from services.kernel.log import logger
from services.kernel.settings import Settings
from tests.jobsworker import KINDS, NOTE, PACE, QUICK, SINGLE, Note

PATIENCE = 60.0


@dataclass(slots=True)
class Jobs:
    """A queue in a database of its own."""

    url: str
    environment: dict[str, str]
    settings: Settings
    database: Database
    connection: Any

    async def enqueue(self, kind: Any, payload: Note, **more: Any) -> int | None:
        async with self.database.session() as session:
            return await queue.enqueue(session, kind, payload, **more)

    async def effects(self) -> Counter[str]:
        return Counter(row["text"] for row in await self.connection.fetch("SELECT text FROM effects"))

    async def states(self) -> Counter[str]:
        async with self.database.session() as session:
            return Counter(job.state for job in await queue.jobs(session, most=10_000))

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not await holds():
                await asyncio.sleep(0.02)

    async def all_done(self) -> None:
        async def none_left() -> bool:
            return not await self.states()

        await self.until(none_left)

    def worker(self) -> Worker:
        return Worker(by_name(KINDS), self.database, self.settings, system_clock, logger(), PACE)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Worker]:
        """A worker in this process."""
        stop, worker = asyncio.Event(), self.worker()
        task = asyncio.create_task(worker.run(stop))
        try:
            yield worker
        finally:
            stop.set()
            await asyncio.wait_for(task, PATIENCE)

    async def process(self) -> asyncio.subprocess.Process:
        """A worker process, ready."""
        started = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.jobsworker"),
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert started.stdout is not None
        assert await started.stdout.readline()
        return started


@pytest.fixture
async def jobs(banyan_url: str, valkey: ValkeyServer, corpus: Corpus) -> AsyncIterator[Jobs]:
    environment: dict[str, str] = {
        **os.environ,
        **corpus.env,
        "DATABASE_URL": banyan_url,
        "REDIS_URL": valkey.url(),
    }
    settings = Settings.from_environment(environment)
    connection = await asyncpg.connect(banyan_url)
    await connection.execute("CREATE TABLE effects (text text, attempt integer)")
    async with Database.open(settings.database) as database:
        yield Jobs(banyan_url, environment, settings, database, connection)
    await connection.close()


async def test_a_job_is_there_only_if_the_transaction_held(jobs: Jobs) -> None:
    async with jobs.database.session() as session:

        async def enqueue_and_fail() -> None:
            await queue.enqueue(session, NOTE, Note("never"))
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await session.atomically(enqueue_and_fail)
    assert not await jobs.states()
    await jobs.enqueue(NOTE, Note("once"), request_id="r-1")
    async with jobs.working():
        await jobs.all_done()
    assert await jobs.effects() == {"once": 1}


async def test_a_job_of_a_name_is_there_once(jobs: Jobs) -> None:
    assert await jobs.enqueue(SINGLE, Note("same")) is not None
    assert await jobs.enqueue(SINGLE, Note("same")) is None
    assert await jobs.enqueue(SINGLE, Note("other")) is not None
    async with jobs.working():
        await jobs.all_done()
    assert await jobs.effects() == {"same": 1, "other": 1}
    assert await jobs.enqueue(SINGLE, Note("same")) is not None


async def test_a_failed_try_leaves_nothing_and_the_next_one_counts(jobs: Jobs) -> None:
    await jobs.enqueue(NOTE, Note("third", fails=2))
    async with jobs.working() as worker:
        await jobs.all_done()
    row = await jobs.connection.fetchrow("SELECT text, attempt FROM effects")
    assert tuple(row) == ("third", 3)
    assert worker.counts == {("note", "retried"): 2, ("note", "done"): 1}


async def test_what_fails_for_good_is_kept_until_somebody_decides(jobs: Jobs) -> None:
    job_id = await jobs.enqueue(NOTE, Note("hopeless", fails=99), request_id="r-2")
    dropped = await jobs.enqueue(NOTE, Note("hopeless", fails=99))
    assert job_id is not None
    assert dropped is not None

    async def both_failed() -> bool:
        return (await jobs.states())["failed"] == 2

    async with jobs.working():
        await jobs.until(both_failed)
    async with jobs.database.session() as session:
        (_, job) = await queue.jobs(session, state="failed")
        assert (job.id, job.kind, job.request_id) == (job_id, "note", "r-2")
        assert job.error is not None
        assert job.error.startswith("ValueError at _note")
        assert await queue.discard(session, [dropped]) == [dropped]
        assert await queue.retry(session, kind="other") == []
        assert await queue.retry(session, [job_id]) == [job_id]
        assert await queue.discard(session, [job_id]) == [job_id]
    assert not await jobs.states()
    noted = await jobs.connection.fetch("SELECT traceback::text FROM banyan.pgqueuer_log")
    assert not any("secret" in (row["traceback"] or "") for row in noted)


async def test_a_job_without_sense_is_done_and_one_without_end_fails(jobs: Jobs) -> None:
    await jobs.enqueue(NOTE, Note("gone"))
    await jobs.enqueue(QUICK, Note("slow", seconds=60))

    async def only_slow() -> bool:
        return await jobs.states() == {"failed": 1}

    async with jobs.working() as worker:
        await jobs.until(only_slow)
    assert worker.counts == {("note", "discarded"): 1, ("quick", "failed"): 1}
    assert not await jobs.effects()


async def test_progress_is_seen_while_a_job_runs(jobs: Jobs) -> None:
    job_id = await jobs.enqueue(NOTE, Note("long"))
    async with jobs.working():
        await jobs.all_done()
    row = await jobs.connection.fetchrow("SELECT job_id, done, total FROM banyan.jobs_progress")
    assert tuple(row) == (job_id, 3, 10)


async def test_stopping_finishes_what_is_short_and_puts_back_what_is_long(jobs: Jobs) -> None:
    process = await jobs.process()
    await jobs.enqueue(NOTE, Note("short", seconds=0.2))
    await jobs.enqueue(NOTE, Note("endless", seconds=600))

    async def both_run() -> bool:
        return (await jobs.states())["picked"] == 2

    await jobs.until(both_run)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    assert await jobs.effects() == {"short": 1}
    assert await jobs.states() == {"queued": 1}


async def test_a_thousand_jobs_survive_workers_that_are_killed(jobs: Jobs) -> None:
    expected = Counter(f"job {number}" for number in range(1000))
    for text in expected:
        await jobs.enqueue(NOTE, Note(text, seconds=0.1))
    workers = [await jobs.process() for _ in range(2)]
    kills = 0
    async with asyncio.timeout(PATIENCE):
        while await jobs.states():
            done = sum((await jobs.effects()).values())
            if kills < 3 and done > 150 * (kills + 1):
                victim = workers[kills % 2]
                victim.kill()
                await victim.wait()
                workers[kills % 2] = await jobs.process()
                kills += 1
            await asyncio.sleep(0.02)
    for worker in workers:
        worker.terminate()
        assert await worker.wait() == 0
    assert kills == 3
    assert await jobs.effects() == expected


async def test_postgres_cutting_all_connections_loses_nothing(jobs: Jobs) -> None:
    for number in range(50):
        await jobs.enqueue(NOTE, Note(f"job {number}", seconds=0.05))
    cut = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    async with jobs.working():
        for share in (10, 20, 30):

            async def so_many(share: int = share) -> bool:
                return sum((await jobs.effects()).values()) >= share

            await jobs.until(so_many)
            await jobs.connection.execute(cut)
        await jobs.all_done()
    assert await jobs.effects() == Counter(f"job {number}" for number in range(50))


async def test_jobs_that_nobody_is_told_of_are_found_by_looking(jobs: Jobs, corpus: Corpus) -> None:
    """Behind a PgBouncer that lends connections by the transaction."""
    url = f"{jobs.url}?prepared_statements=false"
    settings = Settings.from_environment({**corpus.env, "DATABASE_URL": url})
    await jobs.connection.execute("ALTER TABLE banyan.pgqueuer DISABLE TRIGGER USER")  # so nobody is told
    async with Database.open(settings.database) as database:
        stop = asyncio.Event()
        worker = Worker(by_name(KINDS), database, settings, system_clock, logger(), PACE)
        running = asyncio.create_task(worker.run(stop))
        for text in ("first", "second"):
            await jobs.enqueue(NOTE, Note(text))
            await jobs.all_done()
        stop.set()
        await asyncio.wait_for(running, PATIENCE)
    assert await jobs.effects() == {"first": 1, "second": 1}
