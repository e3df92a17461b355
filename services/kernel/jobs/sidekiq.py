# SPDX-License-Identifier: AGPL-3.0-or-later
"""Jobs that Rails hands over: it pushes them to a queue of its Redis that no Sidekiq process works on.

    queue:banyan            what Rails pushed
    banyan:sidekiq:taken    what a bridge holds until it is in PostgreSQL

A job is moved, then enqueued together with a mark of its id, then dropped from where it is held. A bridge that dies in
between leaves it there, and the next one takes it up: the mark sees to it that it is not enqueued twice.

The other way is `outbox.push_to_sidekiq`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, Final, Protocol, cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from railscompat import sidekiq
from railscompat.errors import JobError
from services.kernel.clock import Clock
from services.kernel.db import Database, Session
from services.kernel.errors import UnavailableError
from services.kernel.jobs import queue
from services.kernel.jobs.kinds import Kind
from services.kernel.jobs.lasting import pause
from services.kernel.log import Logger

QUEUE: Final = "banyan"
TAKEN_KEY: Final = "banyan:sidekiq:taken"
LOOK_SECONDS: Final = 1
PAUSE: Final = 1.0


class FromSidekiq(Protocol):
    """Makes a job of ours from Sidekiq's arguments. Raises ValueError where they make no sense."""

    def __call__(self, args: list[sidekiq.Json]) -> tuple[Kind[Any], msgspec.Struct]:
        """The kind and its payload."""


class Bridge:
    """Takes over jobs of these classes (Ruby's names)."""

    def __init__(
        self, classes: Mapping[str, FromSidekiq], database: Database, redis: Redis, clock: Clock, log: Logger
    ) -> None:
        """Nothing is taken before `run`."""
        self._classes = classes
        self._database = database
        self._redis = redis
        self._clock = clock
        self._log = log

    async def run(self, stop: asyncio.Event) -> None:
        """Take jobs until `stop`, first those that an earlier bridge held."""
        left_over = True
        while not stop.is_set():
            try:
                if left_over:
                    await self._take_left_over()
                    left_over = False
                payload = await self._next()
                if payload is not None:
                    await self.take(payload)
            except (RedisError, OSError, TimeoutError, UnavailableError) as error:
                self._log.warning("the bridge to Sidekiq waits", cause=type(error).__name__, pause=PAUSE)
                left_over = True
                await pause(stop, PAUSE)

    async def take(self, payload: bytes) -> None:
        """Enqueue a job that is held, once, and let go of it. What is not understood goes to Sidekiq's dead jobs."""
        try:
            job = sidekiq.parse(payload)
            make = self._classes[job.class_name]
            kind, ours = make(job.args)
        except (JobError, KeyError, ValueError) as error:
            self._log.error("a job from Sidekiq makes no sense", cause=type(error).__name__)
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.zadd(sidekiq.DEAD_KEY, {payload: self._clock().timestamp()})
            pipeline.lrem(TAKEN_KEY, 1, cast(str, payload))
            await pipeline.execute()
            return
        async with self._database.session() as session:
            await session.atomically(lambda: _enqueue_once(session, job.jid, kind, ours))
        await self._redis.lrem(TAKEN_KEY, 1, cast(str, payload))

    async def _take_left_over(self) -> None:
        for payload in await cast(Awaitable[list[bytes]], self._redis.lrange(TAKEN_KEY, 0, -1)):
            await self.take(payload)

    async def _next(self) -> bytes | None:
        moved = self._redis.blmove(sidekiq.queue_key(QUEUE), TAKEN_KEY, LOOK_SECONDS, "RIGHT", "LEFT")
        return await cast(Awaitable[bytes | None], moved)


async def _enqueue_once(session: Session, jid: str, kind: Kind[Any], payload: msgspec.Struct) -> None:
    if await queue.mark_done(session, name=f"sidekiq:{jid}"):
        await queue.enqueue(session, kind, payload, request_id=f"sidekiq-{jid}")
