# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Redis of the application under test: emptied before a case, listened to during it, looked at after it."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from redis.asyncio import Redis
from redis.exceptions import RedisError

from contracts.corpus import Message

MOST_KEYS = 1_000
"""A Redis with more keys than that is somebody's; it is emptied only when told so."""

_PATIENCE = 10.0

# Sidekiq's queues and books, the counters of Rack::Attack, and what our own services keep there.
_ASIDE = re.compile(
    r"queues?(:.*)?|stat:.*|processes|retry|schedule|dead|.*:(work|workers|[0-9a-f]{12})|rack::attack.*|banyan[:/].*"
)


class RedisFailedError(Exception):
    """Redis cannot be used for this; the message says why."""


class Published:
    """Everything published on one server, and its keys; `async with` it."""

    def __init__(self, urls: tuple[str, ...], *, overwrite: bool = False) -> None:
        """The first of `urls` is the one the application publishes to; all are emptied."""
        self._urls = urls
        self._overwrite = overwrite

    async def __aenter__(self) -> Self:
        """Connect. Raises `RedisFailedError`."""
        async with AsyncExitStack() as stack:
            try:
                self._clients = [Redis.from_url(url, decode_responses=True) for url in self._urls]
                for client in self._clients:
                    stack.push_async_callback(client.aclose)
                await self._require_nobodys()
                self._listening = self._clients[0].pubsub()
                stack.push_async_callback(self._listening.aclose)
                await self._listening.psubscribe("*")
            except (RedisError, OSError, ValueError) as error:
                raise RedisFailedError(f"no connection to Redis: {error}") from error
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self._stack.aclose()

    async def _require_nobodys(self) -> None:
        most = max([await client.dbsize() for client in self._clients])
        if most > MOST_KEYS and not self._overwrite:
            raise RedisFailedError(
                f"it holds {most} keys, which would all be deleted; name a Redis of its own, or say"
                " --yes-overwrite"
            )

    async def clear(self) -> None:
        """Delete every key and forget what was published until now."""
        for client in self._clients:
            await client.flushdb()
        await self.messages()

    async def messages(self) -> list[Message]:
        """What was published since the last time, in order."""
        mark = f"banyan:verify:{secrets.token_hex(8)}"
        await self._clients[0].publish(mark, "")
        found: list[Message] = []
        try:
            async with asyncio.timeout(_PATIENCE):
                async for told in self._listening.listen():
                    if told["channel"] == mark:
                        break
                    if told["type"] == "pmessage" and not told["channel"].startswith("banyan:"):
                        found.append(Message(told["channel"], _parsed(told["data"])))
        except TimeoutError:
            raise RedisFailedError("Redis does not deliver what is published") from None
        return found

    async def keys(self) -> dict[str, dict[str, Any]]:
        """The keys that are left, those of queues and of rate limits aside."""
        found: dict[str, dict[str, Any]] = {}
        for client in self._clients:
            async for key in client.scan_iter(count=1000):
                if not _ASIDE.fullmatch(key):
                    found[key] = await _value(client, key)
        return dict(sorted(found.items()))


async def _value(client: Redis, key: str) -> dict[str, Any]:
    kind = await client.type(key)
    if kind == "string":
        value: Any = _parsed_object(str(await client.get(key)))
    elif kind == "hash":
        value = await client.hgetall(key)
    elif kind == "list":
        value = await client.lrange(key, 0, -1)
    elif kind == "set":
        value = sorted(await client.smembers(key))
    elif kind == "zset":
        value = [list(pair) for pair in await client.zrange(key, 0, -1, withscores=True)]
    else:
        value = None
    return {"type": kind, "value": value, "expires": await client.ttl(key) >= 0}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _parsed_object(text: str) -> Any:
    """A key's text; numbers stay texts, as they were recorded."""
    value = _parsed(text)
    return value if isinstance(value, (dict, list)) else text
