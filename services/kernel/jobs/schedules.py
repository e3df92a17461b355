# SPDX-License-Identifier: AGPL-3.0-or-later
"""Jobs by the clock. One worker of all enqueues each; PgQueuer keeps whose turn it was."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import UTC

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.core.sm import SchedulerManager
from pgqueuer.domain.models import Schedule as Due

from services.kernel.db import AWAY, CONNECT_SECONDS, Database
from services.kernel.jobs import queue
from services.kernel.jobs.kinds import Schedule
from services.kernel.jobs.worker import AWAY_PAUSE
from services.kernel.log import Logger


def switched_on(schedules: Iterable[Schedule], *, with_legacies: bool) -> list[Schedule]:
    """The schedules that are to run. `with_legacies`: Rails does not run them any more."""
    return [schedule for schedule in schedules if with_legacies or not schedule.legacies]


async def run(schedules: Iterable[Schedule], database: Database, log: Logger, stop: asyncio.Event) -> None:
    """Enqueue what is due until `stop`."""
    wanted = list(schedules)
    while wanted and not stop.is_set():
        try:
            await _run(wanted, database, stop)
        except (*AWAY, asyncpg.PostgresError) as error:
            log.warning("schedules wait for PostgreSQL", cause=type(error).__name__, pause=AWAY_PAUSE)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), AWAY_PAUSE)


async def _run(schedules: list[Schedule], database: Database, stop: asyncio.Event) -> None:
    settings = database.settings
    pool = asyncpg.create_pool(
        settings.url,
        min_size=0,
        max_size=2,
        timeout=CONNECT_SECONDS,
        command_timeout=settings.timeout,
        statement_cache_size=100 if settings.prepared_statements else 0,
        server_settings={"application_name": "banyan-schedules"},
    )
    await pool
    manager = SchedulerManager(queue.queries_on(AsyncpgPoolDriver(pool)))
    for schedule in schedules:
        _register(manager, schedule, database)

    async def end() -> None:
        await stop.wait()
        manager.shutdown.set()

    ending = asyncio.create_task(end())
    try:
        await manager.run()
    finally:
        ending.cancel()
        pool.terminate()


def _register(manager: SchedulerManager, schedule: Schedule, database: Database) -> None:
    async def enqueue(due: Due) -> None:
        async with database.session() as session:
            await queue.enqueue(session, schedule.kind, schedule.payload(due.next_run.astimezone(UTC)))

    manager.schedule(schedule.kind.name, schedule.cron)(enqueue)
