# SPDX-License-Identifier: AGPL-3.0-or-later
"""The servers and programs of a run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import asyncpg
from redis.asyncio import Redis

from banyan.embedded import PostgresServer, ValkeyServer
from banyan.sampledb import SAMPLE, sample_server
from contracts.corpus import Corpus
from loadtests.chaos_services.work import EFFECTS, QUEUE
from railscompat import sidekiq
from services.kernel.db import Database
from services.kernel.settings import Settings

DATABASE = "chaos"
POOL, STATEMENT_SECONDS = 4, 1


@dataclass(frozen=True, slots=True)
class World:
    """What runs."""

    postgres: PostgresServer
    valkey: ValkeyServer
    url: str
    database: Database
    cookies: Mapping[str, str]
    """Of somebody signed in."""

    async def execute(self, statement: str) -> list[Any]:
        """On a connection that the services know nothing of."""
        connection = await asyncpg.connect(self.postgres.url(DATABASE))
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    async def backends(self) -> list[int]:
        """The processes of PostgreSQL that serve Banyan's programs."""
        rows = await self.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'banyan-%' "
            "AND datname = current_database()"
        )
        return [row["pid"] for row in rows]

    async def stuck(self) -> list[str]:
        """What Banyan's connections still do, though nobody asks."""
        rows = await self.execute(
            "SELECT application_name, state FROM pg_stat_activity WHERE application_name LIKE 'banyan-%' "
            "AND datname = current_database() AND (state LIKE 'idle in transaction%' "
            f"OR (state = 'active' AND now() - query_start > interval '{2 * STATEMENT_SECONDS} s'))"
        )
        return [f"{row['application_name']} {row['state']}" for row in rows]

    async def to_do(self) -> int:
        """Jobs and messages that wait."""
        rows = await self.execute(
            "SELECT (SELECT count(*) FROM banyan.pgqueuer) + (SELECT count(*) FROM banyan.outbox) AS number"
        )
        return int(rows[0]["number"])

    async def effects(self) -> Counter[int]:
        """What jobs did."""
        return Counter(row["number"] for row in await self.execute("SELECT number FROM chaos_effects"))

    async def messages(self) -> Counter[int]:
        """What Redis was told."""
        async with contextlib.aclosing(Redis.from_url(self.valkey.url())) as redis:
            told = await cast(Awaitable[list[bytes]], redis.lrange(sidekiq.queue_key(QUEUE), 0, -1))
        return Counter(int(str(sidekiq.parse(payload).args[0])) for payload in told)


@asynccontextmanager
async def running(corpus: Corpus, workers: int) -> AsyncIterator[World]:
    """Everything up, on a database of the recorded rows."""
    async with AsyncExitStack() as stack:
        postgres = stack.enter_context(sample_server(corpus.folder))
        valkey = stack.enter_context(ValkeyServer(durable=True))
        database_url = await postgres.create_database(DATABASE, SAMPLE)
        own = {
            "DATABASE_URL": database_url,
            "REDIS_URL": valkey.url(),
            "BANYAN_DATABASE_POOL": str(POOL),
            "BANYAN_DATABASE_TIMEOUT": str(STATEMENT_SECONDS),
            "RACK_ATTACK_RATE_MULTPLIER": "1000000",
            "BANYAN_NOW": corpus.recorded_at.isoformat(),
        }
        environment = {**os.environ, **corpus.env, **own}
        settings = Settings.from_environment(environment)
        database = await stack.enter_async_context(Database.open(settings.database))
        web = ("banyan.cli", "services", "--listen", "127.0.0.1:0", "--workers", str(workers))
        url = (await stack.enter_async_context(_program(environment, *web))).split()[-1]
        await stack.enter_async_context(_program(environment, "loadtests.chaos_services.work"))
        world = World(postgres, valkey, url, database, next(iter(_signed_in(corpus)), {}))
        await world.execute(EFFECTS)
        yield world


def _signed_in(corpus: Corpus) -> list[Mapping[str, str]]:
    return [cookies for cookies in corpus.sessions.values() if "_loomio" in cookies]


@asynccontextmanager
async def _program(environment: Mapping[str, str], module: str, *arguments: str) -> AsyncIterator[str]:
    """A program that runs, and its first line."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
    )
    try:
        if process.stdout is None or not (line := await process.stdout.readline()):
            raise RuntimeError(f"{module} did not start")
        yield line.decode()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()
