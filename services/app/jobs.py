# SPDX-License-Identifier: AGPL-3.0-or-later
"""The process that works behind the answers: jobs, schedules, the outbox, the bridge from Sidekiq."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import uvloop
from aiohttp import web

from services.app.parent import Address, served
from services.kernel import log
from services.kernel.clock import clock_from
from services.kernel.db import Database, Session
from services.kernel.errors import UnavailableError
from services.kernel.jobs import schedules
from services.kernel.jobs.kinds import Kind, Schedule, by_name
from services.kernel.jobs.sidekiq import Bridge, FromSidekiq
from services.kernel.jobs.tidy import HOURLY, TIDY
from services.kernel.jobs.worker import Pace, Worker
from services.kernel.metrics import Series, exposition
from services.kernel.outbox import Publisher, redis_at, rows
from services.kernel.readiness import readiness
from services.kernel.settings import Settings

KINDS: tuple[Kind[Any], ...] = (TIDY,)
"""Every kind of job, whichever vertical it belongs to."""

SCHEDULES: tuple[Schedule, ...] = (HOURLY,)
"""What the clock starts."""

FROM_RAILS: Mapping[str, FromSidekiq] = {}
"""Ruby's job classes that Rails may hand over."""

PACE = Pace()


async def run(
    environment: Mapping[str, str],
    say: Callable[[str], None],
    *,
    admin_address: Address | None = None,
    pace: Pace = PACE,
    legacies_schedules: bool = False,
    kinds: Iterable[Kind[Any]] = KINDS,
    planned: Iterable[Schedule] = SCHEDULES,
    from_rails: Mapping[str, FromSidekiq] = FROM_RAILS,
) -> None:
    """Work until SIGTERM or SIGINT, then finish what is under way. Raises `SettingsError`, `StartError`."""
    settings = Settings.from_environment(environment)
    log.configure(settings.log_format)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with (
        redis_at(settings.redis_url) as cache,
        redis_at(settings.redis_queue_url) as queue,
        Database.open(settings.database) as database,
    ):
        clock, logger = clock_from(settings.starts_at), log.logger()
        worker = Worker(by_name(kinds), database, settings, clock, logger, pace)
        parts = [
            worker.run(stop),
            schedules.run(
                schedules.switched_on(planned, with_legacies=legacies_schedules), database, logger, stop
            ),
            Publisher(database, cache, queue, logger).run(stop),
        ]
        if from_rails:
            parts.append(Bridge(from_rails, database, queue, clock, logger).run(stop))
        async with served(admin(worker), admin_address, say):
            say(f"jobs: {', '.join(sorted(worker.kinds))}; process {os.getpid()}")
            await asyncio.gather(*parts)


def admin(worker: Worker) -> web.Application:
    """What operators may ask of the process."""

    async def health(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def ready(_request: web.Request) -> web.Response:
        found = await readiness(worker.database)
        body = {"status": "ok" if found.is_ready else "unavailable", **found.told()}
        return web.json_response(body, status=200 if found.is_ready else 503)

    async def metrics(_request: web.Request) -> web.Response:
        try:
            samples = await worker.samples()
            async with worker.database.session() as session:
                samples |= await _outbox(session)
        except UnavailableError:
            samples = worker.counted()
        text = exposition(samples)
        return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    app = web.Application()
    app.router.add_get("/health", health)
    app.router.add_get("/ready", ready)
    app.router.add_get("/metrics", metrics)
    return app


async def _outbox(session: Session) -> Series:
    waiting = await rows.waiting(session)
    if waiting is None:
        return {}
    return {"banyan_outbox_rows": waiting.number, "banyan_outbox_waiting_seconds": waiting.seconds}


def serve(environment: Mapping[str, str], say: Callable[[str], None], **more: Any) -> None:
    """`run`, with a loop of its own."""
    uvloop.run(run(environment, say, **more))
