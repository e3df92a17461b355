# SPDX-License-Identifier: AGPL-3.0-or-later
"""A worker: takes jobs from the queue and runs them, several at once, until it is told to stop.

PostgreSQL being away ends no worker: it waits and begins anew. What it had taken runs again once its heartbeat is
old, here or elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.executors import AbstractEntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Context, Job, TracebackRecord
from pgqueuer.ports.driver import Driver

from services.kernel.clock import Clock
from services.kernel.db import AWAY, Database
from services.kernel.errors import UnavailableError
from services.kernel.jobs import queue
from services.kernel.jobs.kinds import DiscardError, Kind, Work, chance
from services.kernel.jobs.lasting import AWAY_PAUSE, outlast, pool_of
from services.kernel.log import Logger
from services.kernel.metrics import Series, series
from services.kernel.settings import Settings


@dataclass(frozen=True, slots=True)
class Pace:
    """How a worker works. Seconds, but for `at_once`.

    `look_every`: how often it looks for jobs where nobody wakes it; `dead_after`: when a job whose worker gives no sign
    of life is taken by another; `grace`: how long jobs under way may go on after the order to stop.
    """

    at_once: int = 10
    look_every: float = 2.0
    dead_after: float = 30.0
    grace: float = 25.0


@dataclass(slots=True)
class Worker:
    """Runs jobs of these kinds. `counts`: what became of how many tries, by kind and outcome."""

    kinds: dict[str, Kind[Any]]
    database: Database
    settings: Settings
    clock: Clock
    log: Logger
    pace: Pace = Pace()
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    is_stopping: bool = False
    """Whether the grace is over."""

    async def run(self, stop: asyncio.Event) -> None:
        """Take jobs and run them until `stop`, then finish what is under way, within the grace."""
        await outlast("jobs", lambda: self._run(stop), self.log, stop)

    async def _run(self, stop: asyncio.Event) -> None:
        settings = self.settings.database
        listens = settings.listen_url is not None or settings.prepared_statements
        # One connection listens, two take jobs, note ends and give signs of life.
        async with pool_of(settings, "banyan-jobs", 3, listens=True) as pool:
            manager = QueueManager(_PatientQueries(AsyncpgPoolDriver(pool), self), queue.NAMES.channel)
            for kind in self.kinds.values():
                manager.register_executor(kind.name, _Executor(_parameters(kind), self, kind))
            async with _told(stop, manager, self):
                batch = max(1, self.pace.at_once // 2)
                await manager.run(
                    dequeue_timeout=timedelta(seconds=self.pace.look_every),
                    batch_size=batch,
                    max_concurrent_tasks=max(self.pace.at_once, 2 * batch),
                    shutdown_on_listener_failure=listens,
                    heartbeat_timeout=timedelta(seconds=self.pace.dead_after),
                )

    async def stop_soon(self, manager: QueueManager) -> None:
        """Take no more jobs; after the grace, put back what still runs."""
        manager.shutdown.set()
        await asyncio.sleep(self.pace.grace)
        self.is_stopping = True
        for task in tuple(self._running):
            task.cancel()

    async def try_once(self, kind: Kind[Any], job: Job) -> None:
        """One try of a job. Raises RetryRequested where another is due, and what went wrong where none is."""
        task = asyncio.create_task(self._perform(kind, job))
        self._running.add(task)
        try:
            async with asyncio.timeout(kind.seconds):
                await task
            outcome = "done"
        except DiscardError:
            outcome = "discarded"
        except asyncio.CancelledError:
            if not self.is_stopping or not task.cancelled():
                raise
            self.counts[kind.name, "put_back"] += 1
            raise RetryRequested(timedelta(0), "its worker was stopped") from None
        except Exception as error:
            # The error itself stays here: its message may quote people, and what is raised is written down.
            raise self._after_failure(kind, job, error) from None
        finally:
            task.cancel()
            self._running.discard(task)
        self.counts[kind.name, outcome] += 1

    def _after_failure(self, kind: Kind[Any], job: Job, error: Exception) -> Exception:
        attempt = job.attempts + 1
        # That PostgreSQL is away is not the job's fault: it uses up no hope, only time.
        last = attempt >= kind.tries and not isinstance(error, UnavailableError)
        self.counts[kind.name, "failed" if last else "retried"] += 1
        self.log.warning(
            "job failed" if last else "job will be tried again",
            job=job.id,
            kind=kind.name,
            attempt=attempt,
            cause=type(error).__name__,
            request_id=_request_id(job),
        )
        if last:
            return JobFailedError(_cause(error))
        return RetryRequested(kind.pause_after(attempt, chance()), _cause(error))

    async def _perform(self, kind: Kind[Any], job: Job) -> None:
        payload = msgspec.json.decode(job.payload or b"{}", type=kind.payload)
        async with self.database.session() as session:

            async def progress(done: int, total: int) -> None:
                async with self.database.session() as own:
                    await queue.tell_progress(own, job_id=job.id, done=done, total=total)

            async def perform() -> None:
                if await queue.mark_done(session, name=f"job:{job.id}"):
                    attempt, request_id = job.attempts + 1, _request_id(job)
                    work = Work(session, self.settings, self.clock, job.id, attempt, request_id, progress)
                    await kind.run(work, payload)

            await session.atomically(perform)

    def counted(self) -> Series:
        """What it counted."""
        return {
            series("banyan_jobs_total", {"kind": kind, "outcome": outcome}): number
            for (kind, outcome), number in self.counts.items()
        }

    async def samples(self) -> Series:
        """What it counted, and what there is to do. Raises `UnavailableError`."""
        told = self.counted()
        async with self.database.session() as session:
            for row in await queue.counted(session):
                labels = {"kind": row.kind, "state": row.state}
                told[series("banyan_jobs", labels)] = row.number
                if row.state == "queued":
                    told[series("banyan_jobs_waiting_seconds", {"kind": row.kind})] = row.waiting
        return told


class JobFailedError(Exception):
    """A job's last try failed; the message says why, without values."""


class _PatientQueries(Queries):
    """PgQueuer gives a job up whose next try it can't note down; we wait for PostgreSQL to be back."""

    def __init__(self, driver: Driver, worker: Worker) -> None:
        plain = queue.queries_on(driver)
        super().__init__(driver, plain.qbe, plain.qbq, plain.qbs)
        self._worker = worker

    async def retry_job(self, job: Job, delay: timedelta, traceback_record: TracebackRecord | None) -> None:
        while True:
            try:
                await super().retry_job(job, delay, traceback_record)
            except AWAY:
                if (
                    self._worker.is_stopping
                ):  # it stays picked, and another takes it when its heartbeat is old
                    raise
                await asyncio.sleep(AWAY_PAUSE)
            else:
                return


class _Executor(AbstractEntrypointExecutor):
    """PgQueuer's way of calling us."""

    def __init__(self, parameters: EntrypointExecutorParameters, worker: Worker, kind: Kind[Any]) -> None:
        super().__init__(parameters)
        self._worker = worker
        self._kind = kind

    async def execute(self, job: Job, context: Context) -> None:
        await self._worker.try_once(self._kind, job)


def _parameters(kind: Kind[Any]) -> EntrypointExecutorParameters:
    async def unused(_job: Job) -> None:
        raise AssertionError("the executor runs the job")

    return EntrypointExecutorParameters(concurrency_limit=kind.at_once, func=unused, on_failure="hold")


@contextlib.asynccontextmanager
async def _told(stop: asyncio.Event, manager: QueueManager, worker: Worker) -> AsyncIterator[None]:
    async def wait() -> None:
        await stop.wait()
        await worker.stop_soon(manager)

    task = asyncio.create_task(wait())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _request_id(job: Job) -> str:
    return str((job.headers or {}).get("request_id", ""))


def _cause(error: Exception) -> str:
    """What operators are told: the kind of error and where, never its message, which may quote people."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" at {trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
    return f"{type(error).__name__}{place}"
