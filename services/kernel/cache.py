# SPDX-License-Identifier: AGPL-3.0-or-later
"""Redis, as both sides share it: socket tokens, counters, and what is published to people's browsers.

Connections are made as they are needed. Redis being away is `UnavailableError` to whoever needs it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.kernel.errors import UnavailableError

TIMEOUT = 2.0
"""Seconds that Redis may take to be reached, and to answer."""


class Cache:
    """The connections of one process."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        """Use `open`."""
        self._client = client

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Cache]:
        """Connections that close at the end."""
        client = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            # One more try, for a connection that died while it was idle; who needs Redis waits no longer.
            retry=Retry(NoBackoff(), 1),
        )
        try:
            yield cls(client)
        finally:
            await client.aclose()

    async def put(self, key: str, value: Any) -> None:
        """Keep a JSON value, for good. Raises `UnavailableError`."""
        try:
            await self._client.set(key, msgspec.json.encode(value))
        except (RedisError, OSError) as error:
            raise UnavailableError(f"Redis: {type(error).__name__}") from error

    async def count(self, key: str, seconds: int) -> int:
        """Add one to a counter that ends after `seconds`, unless it has an end already. Raises `UnavailableError`."""
        try:
            async with self._client.pipeline(transaction=False) as pipeline:
                pipeline.incr(key)
                pipeline.expire(key, seconds, nx=True)
                number, _ = await pipeline.execute()
        except (RedisError, OSError) as error:
            raise UnavailableError(f"Redis: {type(error).__name__}") from error
        return int(number)

    async def is_there(self) -> bool:
        """Whether Redis answers."""
        try:
            return bool(await self._client.ping())
        except (RedisError, OSError):
            return False
