# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Redis is told of committed writes, with a real PostgreSQL and a Valkey that goes away and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from banyan.embedded import ValkeyServer
from contracts.corpus import Corpus
from railscompat import sidekiq
from services.kernel.clock import system_clock
from services.kernel.db import Database, Session
from services.kernel.jobs import queue
from services.kernel.jobs.kinds import Kind
from services.kernel.jobs.sidekiq import QUEUE, TAKEN_KEY, Bridge
from services.kernel.log import logger
from services.kernel.outbox import Publisher, publish, push_to_sidekiq, rows
from services.kernel.settings import Settings
from tests.jobsworker import NOTE, Note

PATIENCE = 30.0


@dataclass(slots=True)
class Outbox:
    """An outbox and a Valkey of its own."""

    database: Database
    redis: Any
    valkey: ValkeyServer
    publisher: Publisher

    async def atomically(self, act: Callable[[Session], Awaitable[None]]) -> None:
        async with self.database.session() as session:
            await session.atomically(lambda: act(session))

    async def waiting(self) -> int:
        async with self.database.session() as session:
            found = await rows.waiting(session)
        assert found is not None
        return found.number


def client(server: ValkeyServer) -> Any:
    return aioredis.Redis.from_url(server.url(), socket_timeout=5, retry=Retry(NoBackoff(), 0))


@pytest.fixture
async def outbox(banyan_url: str, corpus: Corpus) -> AsyncIterator[Outbox]:
    settings = Settings.from_environment({**corpus.env, "DATABASE_URL": banyan_url})
    with ValkeyServer() as valkey:
        redis = client(valkey)
        async with Database.open(settings.database) as database:
            yield Outbox(database, redis, valkey, Publisher(database, redis, redis, logger()))
        await redis.aclose()


async def heard(pubsub: Any, number: int) -> list[Any]:
    messages: list[Any] = []
    async with asyncio.timeout(PATIENCE):
        while len(messages) < number:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
            if message is not None:
                messages.append(msgspec.json.decode(message["data"]))
    return messages


async def test_only_what_holds_is_told_and_in_its_order(outbox: Outbox) -> None:
    async def write(session: Session) -> None:
        for number in range(700):
            await publish(session, "/records", {"n": number})

    async def write_and_fail(session: Session) -> None:
        await publish(session, "/records", {"n": "never"})
        raise ZeroDivisionError

    async with outbox.redis.pubsub() as pubsub:
        await pubsub.subscribe("/records")
        with pytest.raises(ZeroDivisionError):
            await outbox.atomically(write_and_fail)
        await outbox.atomically(write)
        stop = asyncio.Event()
        running = asyncio.create_task(outbox.publisher.run(stop))
        assert [message["n"] for message in await heard(pubsub, 700)] == list(range(700))
        stop.set()
        await running
    assert await outbox.waiting() == 0


async def test_whoever_commits_wakes_the_publisher(outbox: Outbox) -> None:
    async def write(session: Session) -> None:
        await publish(session, "/records", {"n": 1})

    stop = asyncio.Event()
    async with outbox.redis.pubsub() as pubsub:
        await pubsub.subscribe("/records")
        running = asyncio.create_task(outbox.publisher.run(stop))
        await outbox.atomically(write)
        assert await heard(pubsub, 1) == [{"n": 1}]
        stop.set()
        await running


async def test_a_key_waits_once(outbox: Outbox) -> None:
    async def write(session: Session) -> None:
        await publish(session, "/records", {"n": 1}, key="same")
        await publish(session, "/records", {"n": 2}, key="same")

    await outbox.atomically(write)
    assert await outbox.waiting() == 1


async def test_redis_away_delays_and_loses_nothing(outbox: Outbox) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(outbox.publisher.run(stop))
    outbox.valkey.stop()

    async def write(session: Session) -> None:
        await publish(session, "/records", {"n": 1})
        job = sidekiq.new_job("PublishEventWorker", [7], jid="ab" * 12, now=system_clock())
        await push_to_sidekiq(session, job, now=system_clock())

    await outbox.atomically(write)
    outbox.database.something_to_tell.set()
    await asyncio.sleep(0)
    assert await outbox.waiting() == 2
    outbox.valkey.restart()
    async with asyncio.timeout(PATIENCE):
        while await outbox.waiting():
            await asyncio.sleep(0.02)
    stop.set()
    await running
    (payload,) = await outbox.redis.lrange("queue:default", 0, -1)
    assert sidekiq.parse(payload).args == [7]
    assert await outbox.redis.smembers("queues") == {b"default"}


async def test_two_publishers_tell_each_row_once(outbox: Outbox) -> None:
    other = Publisher(outbox.database, outbox.redis, outbox.redis, logger())

    async def write(session: Session) -> None:
        await publish(session, "/records", {"n": 1})

    async with outbox.redis.pubsub() as pubsub:
        await pubsub.subscribe("/records")
        for _ in range(20):
            await outbox.atomically(write)
            told = await asyncio.gather(outbox.publisher.tell(), other.tell())
            assert sum(told) <= 1
        while await outbox.waiting():
            await other.tell()
        assert len(await heard(pubsub, 20)) == 20
        assert await pubsub.get_message(ignore_subscribe_messages=True, timeout=0.05) is None


def note_from_rails(args: list[sidekiq.Json]) -> tuple[Kind[Any], msgspec.Struct]:
    (text,) = args
    if not isinstance(text, str):
        raise ValueError("a text is wanted")
    return NOTE, Note(text)


async def test_a_job_from_sidekiq_is_taken_over_once_whatever_happens(outbox: Outbox) -> None:
    bridge = Bridge({"NoteWorker": note_from_rails}, outbox.database, outbox.redis, system_clock, logger())
    job = sidekiq.new_job("NoteWorker", ["hello"], jid="cd" * 12, now=system_clock(), queue=QUEUE)
    broken = sidekiq.new_job("NoteWorker", [1], jid="ef" * 12, now=system_clock(), queue=QUEUE)
    (*_, payload) = sidekiq.push_commands(job, now=system_clock())[1]
    # The first bridge died between taking and letting go, after the job was enqueued: it is held, and taken again.
    await outbox.redis.lpush(TAKEN_KEY, payload)
    await bridge.take(payload.encode())
    await outbox.redis.lpush(TAKEN_KEY, payload)
    for command in sidekiq.push_commands(broken, now=system_clock()):
        await outbox.redis.execute_command(*command)
    stop = asyncio.Event()
    running = asyncio.create_task(bridge.run(stop))
    async with asyncio.timeout(PATIENCE):
        while await outbox.redis.llen(TAKEN_KEY) or not await outbox.redis.zcard("dead"):
            await asyncio.sleep(0.02)
    stop.set()
    await running
    async with outbox.database.session() as session:
        (only,) = await queue.jobs(session)
    assert (only.kind, only.request_id) == ("note", f"sidekiq-{'cd' * 12}")
