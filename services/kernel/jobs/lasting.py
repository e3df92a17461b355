# SPDX-License-Identifier: AGPL-3.0-or-later
"""PostgreSQL goes away under PgQueuer, and comes back: what is raised then, and how to go on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
from pgqueuer.domain.errors import FailingListenerError

from services.kernel.db import AWAY, CONNECT_SECONDS
from services.kernel.log import Logger
from services.kernel.settings import DatabaseSettings

LOST = (*AWAY, asyncpg.PostgresError, FailingListenerError)
"""What PgQueuer's calls raise when PostgreSQL goes away under them."""

AWAY_PAUSE = 1.0
"""Seconds before PostgreSQL is asked for again."""


async def outlast(what: str, act: Callable[[], Awaitable[None]], log: Logger, stop: asyncio.Event) -> None:
    """Do `act` until `stop`: begin anew whenever PostgreSQL was lost. `what` waits for it, in the log."""
    while not stop.is_set():
        try:
            await act()
        except LOST as error:
            if stop.is_set():
                return
            log.warning(f"{what} wait for PostgreSQL", cause=type(error).__name__, pause=AWAY_PAUSE)
            await pause(stop, AWAY_PAUSE)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until `stop`."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


@contextlib.asynccontextmanager
async def pool_of(
    settings: DatabaseSettings, name: str, size: int, *, listens: bool = False
) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """A pool for PgQueuer, which PostgreSQL knows as `name`. `listens`: on the direct connection, if one is given."""
    direct = settings.listen_url if listens else None
    pool = asyncpg.create_pool(
        direct or settings.url,
        min_size=0,
        max_size=size,
        timeout=CONNECT_SECONDS,
        command_timeout=settings.timeout,
        statement_cache_size=100 if direct or settings.prepared_statements else 0,
        server_settings={"application_name": name},
    )
    await pool
    try:
        yield pool
    finally:
        pool.terminate()
