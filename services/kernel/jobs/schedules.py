# SPDX-License-Identifier: AGPL-3.0-or-later
"""Jobs by the clock. One worker of all enqueues each; PgQueuer keeps whose turn it was."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC

from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.core.sm import SchedulerManager
from pgqueuer.domain.models import Schedule as Due

from services.kernel.db import Database
from services.kernel.jobs import queue
from services.kernel.jobs.kinds import Schedule
from services.kernel.jobs.lasting import outlast, pool_of
from services.kernel.log import Logger


def switched_on(schedules: Iterable[Schedule], *, with_legacies: bool) -> list[Schedule]:
    """The schedules that are to run. `with_legacies`: Rails does not run them any more."""
    return [schedule for schedule in schedules if with_legacies or not schedule.legacies]


async def run(schedules: Iterable[Schedule], database: Database, log: Logger, stop: asyncio.Event) -> None:
    """Enqueue what is due until `stop`."""
    wanted = list(schedules)
    if wanted:
        await outlast("schedules", lambda: _run(wanted, database, stop), log, stop)


async def _run(schedules: list[Schedule], database: Database, stop: asyncio.Event) -> None:
    async with pool_of(database.settings, "banyan-schedules", 2) as pool:
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


def _register(manager: SchedulerManager, schedule: Schedule, database: Database) -> None:
    async def enqueue(due: Due) -> None:
        async with database.session() as session:
            await queue.enqueue(session, schedule.kind, schedule.payload(due.next_run.astimezone(UTC)))

    manager.schedule(schedule.kind.name, schedule.cron)(enqueue)
