# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a request that writes to a browser's live update: what held is published on `/records`, nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis

from banyan.embedded import ValkeyServer
from contracts.corpus import Corpus
from services.app import application
from services.kernel.errors import AccessDeniedError
from services.kernel.http import Context
from services.kernel.outbox import publish
from services.kernel.params import ruby_to_i
from services.kernel.routes import Route
from services.kernel.sql import Statement
from tests.servicetest import Service, running_service

CHANNEL = "/records"
PATIENCE = 30.0
INSERT = Statement(
    "insert_tag",
    "INSERT INTO tags (name, color, group_id, created_at, updated_at) "
    "VALUES ($1, '#abc', NULL, now(), now()) RETURNING id",
    ("name",),
    Path(__file__),
    0,
)


async def write(context: Context) -> dict[str, Any]:
    """Make a tag and tell of it; change one's mind, or break, where the request says so."""
    number = ruby_to_i(context.params.text("number") or "")

    async def act() -> None:
        await context.db.fetch(INSERT, [f"published {number}"])
        await publish(context.db, CHANNEL, {"room": "group-1", "records": {"tags": [{"number": number}]}})
        if (fails := context.params.text("fails")) == "denied":
            raise AccessDeniedError
        if fails == "broken":
            raise ZeroDivisionError

    await context.db.atomically(act)
    return {"number": number}


@pytest.fixture
async def service(
    corpus: Corpus, sample_url: str, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Service]:
    """The services with one more route, which writes."""
    more = Route("POST", "/api/v1/written", "test#write", write)
    monkeypatch.setattr(application, "ROUTES", (*application.ROUTES, more))
    async with running_service(corpus, sample_url, REDIS_URL=valkey.url(11)) as running:
        yield running


async def numbers_heard(pubsub: Any, how_many: int) -> list[int]:
    heard: list[int] = []
    async with asyncio.timeout(PATIENCE):
        while len(heard) < how_many:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
            if message is not None:
                document = msgspec.json.decode(message["data"])
                assert document["room"] == "group-1"
                heard.append(document["records"]["tags"][0]["number"])
    return heard


async def test_what_requests_wrote_is_published_and_what_was_undone_is_not(
    service: Service, sample_url: str, valkey: ValkeyServer
) -> None:
    async def ask(number: int) -> None:
        how, status = ("&fails=denied", 403) if number % 3 else ("", 200)
        if number == 59:
            how, status = "&fails=broken", 500
        answer = await service.get(f"/api/v1/written?number={number}{how}", method="POST")
        assert answer.status == status

    connection = await asyncpg.connect(sample_url)
    async with aclosing(Redis.from_url(valkey.url(11))) as redis, redis.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        await asyncio.gather(*(ask(number) for number in range(60)))
        heard = await numbers_heard(pubsub, 20)
        # One more comes after all that is to come: messages keep the order in which they were written.
        await ask(60)
        assert await numbers_heard(pubsub, 1) == [60]
    assert sorted(heard) == list(range(0, 60, 3))
    written = await connection.fetch("SELECT name FROM tags WHERE name LIKE 'published %'")
    assert {row["name"] for row in written} == {f"published {number}" for number in range(0, 61, 3)}
    assert await connection.fetchval("SELECT count(*) FROM banyan.outbox") == 0
    await connection.close()


async def test_what_redis_missed_is_published_by_the_next_process(
    corpus: Corpus, sample_url: str, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody hears while Redis is away; the row stays until a process reaches Redis."""
    more = Route("POST", "/api/v1/written", "test#write", write)
    monkeypatch.setattr(application, "ROUTES", (*application.ROUTES, more))
    async with running_service(corpus, sample_url, REDIS_URL="redis://127.0.0.1:1") as service:
        assert (await service.get("/api/v1/written?number=7", method="POST")).status == 200
    async with aclosing(Redis.from_url(valkey.url(12))) as redis, redis.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        async with running_service(corpus, sample_url, REDIS_URL=valkey.url(12)):
            assert await numbers_heard(pubsub, 1) == [7]
