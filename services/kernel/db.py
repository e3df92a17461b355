# SPDX-License-Identifier: AGPL-3.0-or-later
"""Connections to Rails' database.

A process has one pool; a request has one `Session`, which takes a connection at its first statement and
gives it back at its end. PostgreSQL being away, slow or full is one error, `UnavailableError`: the request
may be repeated in a moment. The pool opens connections as they are needed, so services start without a
database and say so in `/ready`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

import asyncpg
import msgspec

from services.kernel.errors import UnavailableError
from services.kernel.settings import DatabaseSettings
from services.kernel.sql import Statement

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
"""What PostgreSQL or the way to it raises when it can't be used at the moment."""

CONNECT_SECONDS = 5.0
READY_SECONDS = 2.0


async def _prepare(connection: Connection) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=_encode_json, decoder=msgspec.json.decode
        )


def _encode_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


async def _keep(_connection: Connection) -> None:
    """Connections go back as they are: nothing here changes a connection's state outside of a transaction."""


class Database:
    """The pool of one process."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], settings: DatabaseSettings) -> None:
        """Use `open`."""
        self._pool = pool
        self._settings = settings

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: DatabaseSettings) -> AsyncIterator[Database]:
        """A pool that closes at the end, after its connections came back (within the statements' time)."""
        pool = asyncpg.create_pool(
            settings.url,
            min_size=0,
            max_size=settings.pool_size,
            init=_prepare,
            reset=_keep,
            timeout=CONNECT_SECONDS,
            command_timeout=settings.timeout,
            statement_cache_size=100 if settings.prepared_statements else 0,
            server_settings={"application_name": "banyan-services"},
        )
        await pool
        try:
            yield cls(pool, settings)
        finally:
            try:
                await asyncio.wait_for(pool.close(), settings.timeout)
            except TimeoutError:
                pool.terminate()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """The statements of one request."""
        session = Session(self._pool, self._settings.timeout)
        try:
            yield session
        finally:
            await session.close()

    async def is_there(self) -> bool:
        """Whether PostgreSQL answers, within two seconds."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                return bool(await self._pool.fetchval("SELECT true"))
        except AWAY:
            return False

    def connections(self) -> dict[str, int]:
        """How many connections there are, by what they do."""
        idle = self._pool.get_idle_size()
        return {"idle": idle, "busy": self._pool.get_size() - idle}


class Session:
    """Runs the statements of one request, on one connection, one after the other."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], timeout: float) -> None:
        """Nothing is taken from the pool yet."""
        self._pool = pool
        self._timeout = timeout
        self._connection: Any = None
        self.queries = 0
        """How many statements ran."""
        self.seconds = 0.0
        """How long they took, with the wait for a connection."""

    async def fetch(self, statement: Statement, arguments: list[Any]) -> list[Any]:
        """All rows. Raises `UnavailableError`."""
        began = time.perf_counter()
        try:
            if self._connection is None:
                self._connection = await self._pool.acquire(timeout=self._timeout)
            rows: list[Any] = await self._connection.fetch(statement.text, *arguments)
            return rows
        except AWAY as error:
            raise UnavailableError(f"PostgreSQL: {type(error).__name__}") from error
        finally:
            self.queries += 1
            self.seconds += time.perf_counter() - began

    async def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            # What broke on the way was told by the statement that met it; the pool makes a new one.
            with suppress(*AWAY):
                await self._pool.release(connection)
