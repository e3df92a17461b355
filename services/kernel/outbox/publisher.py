# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tells the outbox's rows to Redis."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from railscompat import sidekiq
from services.kernel.db import Database, Session
from services.kernel.errors import UnavailableError
from services.kernel.log import Logger
from services.kernel.outbox import rows

LOOK_SECONDS: Final = 2.0
"""How often a publisher looks for rows that nobody woke it for."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0
UNMADE_PAUSE: Final = 10.0
"""How long a publisher waits for `banyan migrate` to make the outbox."""
REDIS_SECONDS: Final = 5.0
AT_ONCE: Final = 500
SEND_SECONDS: Final = 5.0
"""How long Redis may take for a batch; the rows are held until then."""


class Publisher:
    """One per process. `cache` is where messages are published, `queue` where Sidekiq's jobs lie."""

    def __init__(self, database: Database, cache: Redis, queue: Redis, log: Logger) -> None:
        """Nothing is told before `run`."""
        self._database = database
        self._cache = cache
        self._queue = queue
        self._log = log
        self._woken = database.something_to_tell

    async def run(self, stop: asyncio.Event) -> None:
        """Tell what is there until `stop`, and then what is left, if it can be told at once."""
        pause, asked = FIRST_PAUSE, False
        while True:
            self._woken.clear()
            try:
                while await self.tell() == AT_ONCE:
                    pass
                pause = FIRST_PAUSE
                wait = LOOK_SECONDS
            except (RedisError, OSError, TimeoutError, UnavailableError) as error:
                self._log.warning("outbox waits", cause=type(error).__name__, pause=pause)
                wait, pause = pause, min(2 * pause, LONGEST_PAUSE)
                self._woken.clear()
            except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError) as error:
                if not asked:
                    self._log.warning("no outbox for us: run `banyan migrate`", cause=type(error).__name__)
                asked, wait = True, UNMADE_PAUSE
            if stop.is_set():
                return
            await _either(stop, self._woken, wait)

    async def tell(self) -> int:
        """Tell the oldest rows, if it is our turn. How many.

        Raises RedisError, OSError, TimeoutError or `UnavailableError`; what was told then may be told again.
        """
        async with self._database.session() as session:
            return await session.atomically(lambda: self._tell(session))

    async def _tell(self, session: Session) -> int:
        if not await rows.turn(session):
            return 0
        batch = await rows.first(session, most=AT_ONCE)
        if not batch:
            return 0
        async with asyncio.timeout(SEND_SECONDS):
            published = self._cache.pipeline(transaction=False)
            pushed = self._queue.pipeline(transaction=True)
            for row in batch:
                if row.target == rows.PUBLISH:
                    published.publish(row.name, row.payload)
                else:
                    pushed.sadd(sidekiq.QUEUES_KEY, row.name)
                    pushed.lpush(sidekiq.queue_key(row.name), row.payload)
            if len(published):
                await published.execute()
            if len(pushed):
                await pushed.execute()
        await rows.told(session, ids=[row.id for row in batch])
        return len(batch)


@asynccontextmanager
async def redis_at(url: str) -> AsyncIterator[Redis]:
    """A client that gives up at once: whoever asks knows best how long to wait."""
    client: Redis = Redis.from_url(
        url,
        socket_connect_timeout=REDIS_SECONDS,
        socket_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        yield client
    finally:
        await client.aclose()


async def _either(stop: asyncio.Event, woken: asyncio.Event, seconds: float) -> None:
    """Wait for either, or so long."""
    waits = [asyncio.ensure_future(event.wait()) for event in (stop, woken)]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await wait
