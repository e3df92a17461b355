# SPDX-License-Identifier: AGPL-3.0-or-later
"""The shared store in Redis or Valkey: compare-and-set by a script, a lease that expires, a channel that pushes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, cast

import msgspec
from redis import asyncio as redis
from redis.exceptions import RedisError

from proxy.rollout.evidence import Traffic
from proxy.rollout.memory import ALIVE_SECONDS, LEASE_SECONDS
from proxy.rollout.ports import Heartbeat, Shared, UnavailableError
from proxy.rollout.state import State

_PATIENCE: Final = 0.5  # seconds for one answer: a tick must not hang on a server that is gone
_RETRY: Final = 0.3
_KEPT_SECONDS: Final = 7 * 86_400  # traffic of replicas that are long gone

_PUT: Final = """
local known = redis.call('HGET', KEYS[1], ARGV[1])
local version = -1
if known then version = cjson.decode(known).version end
if version ~= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('PUBLISH', KEYS[2], ARGV[1])
return 1
"""
_LEAD: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_SEED: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('DEL', KEYS[2])
for at = 1, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1]) end
redis.call('SET', KEYS[1], '1')
redis.call('PUBLISH', KEYS[3], '*')
return 1
"""


class _Given(msgspec.Struct):
    epoch: int
    traffic: dict[str, Traffic]


class RedisStore:
    """`prefix` keeps the keys of one application's edges together."""

    shared = True

    def __init__(self, url: str, prefix: str = "banyan:rollout:") -> None:
        self._client = redis.Redis.from_url(
            url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE, retry=None
        )
        self._url = url
        self._prefix = prefix

    def _key(self, name: str) -> str:
        return self._prefix + name

    async def _ask(self, answer: Any) -> Any:
        """Await an answer. redis-py types its commands for both its clients at once, hence Any."""
        try:
            async with asyncio.timeout(2 * _PATIENCE):
                return await answer
        except (RedisError, OSError, TimeoutError) as error:
            raise UnavailableError(f"Redis: {str(error) or type(error).__name__}") from None

    async def load(self) -> Shared:
        """As the port says."""
        pipe = self._client.pipeline(transaction=True)
        pipe.hgetall(self._key("states"))
        pipe.get(self._key("frozen"))
        pipe.exists(self._key("seeded"))
        states, frozen, seeded = await self._ask(pipe.execute())
        return Shared(
            {name.decode(): msgspec.json.decode(text, type=State) for name, text in states.items()},
            frozen == b"1",
            bool(seeded),
        )

    async def put(self, state: State, expected: int) -> bool:
        """As the port says."""
        text = msgspec.json.encode(state)
        keys = (self._key("states"), self._key("push"))
        return bool(await self._ask(self._client.eval(_PUT, 2, *keys, state.unit, str(expected), text)))

    async def freeze(self, frozen: bool) -> None:
        """As the port says."""
        pipe = self._client.pipeline(transaction=True)
        pipe.set(self._key("frozen"), "1" if frozen else "0")
        pipe.publish(self._key("push"), "*")
        await self._ask(pipe.execute())

    async def seed(self, states: Mapping[str, State]) -> bool:
        """As the port says."""
        pairs = [part for name, state in states.items() for part in (name, msgspec.json.encode(state))]
        keys = (self._key("seeded"), self._key("states"), self._key("push"))
        return bool(await self._ask(self._client.eval(_SEED, 3, *keys, *pairs)))

    async def lead(self, replica: str) -> bool:
        """As the port says."""
        lease = str(round(LEASE_SECONDS * 1000))
        return bool(await self._ask(self._client.eval(_LEAD, 1, self._key("lease"), replica, lease)))

    async def leader(self) -> str:
        """As the port says."""
        return cast(bytes, await self._ask(self._client.get(self._key("lease"))) or b"").decode()

    async def report(self, heartbeat: Heartbeat) -> None:
        """As the port says."""
        text = msgspec.json.encode(heartbeat)
        key = self._key(f"replica:{heartbeat.replica}")
        pipe = self._client.pipeline(transaction=True)
        pipe.set(key, text, px=round(ALIVE_SECONDS * 1000))
        pipe.sadd(self._key("replicas"), heartbeat.replica)
        await self._ask(pipe.execute())

    async def replicas(self) -> list[Heartbeat]:
        """As the port says."""
        names = sorted(
            name.decode() for name in await self._ask(self._client.smembers(self._key("replicas")))
        )
        if not names:
            return []
        texts = await self._ask(self._client.mget([self._key(f"replica:{name}") for name in names]))
        gone = [name for name, text in zip(names, texts, strict=True) if text is None]
        if gone:
            await self._ask(self._client.srem(self._key("replicas"), *gone))
        return [msgspec.json.decode(text, type=Heartbeat) for text in texts if text is not None]

    async def give(self, replica: str, unit: str, epoch: int, traffic: Mapping[str, Traffic]) -> None:
        """As the port says."""
        key = self._key(f"traffic:{unit}")
        pipe = self._client.pipeline(transaction=True)
        pipe.hset(key, replica, msgspec.msgpack.encode(_Given(epoch, dict(traffic))))
        pipe.expire(key, _KEPT_SECONDS)
        await self._ask(pipe.execute())

    async def gather(self, unit: str, epoch: int) -> list[Mapping[str, Traffic]]:
        """As the port says. What belongs to another epoch is of no more use, and dropped once it is old."""
        key = self._key(f"traffic:{unit}")
        found = await self._ask(self._client.hgetall(key))
        given = {name: msgspec.msgpack.decode(text, type=_Given) for name, text in found.items()}
        old = [name for name, one in given.items() if one.epoch < epoch - 1]
        if old:
            await self._ask(self._client.hdel(key, *old))
        return [one.traffic for one in given.values() if one.epoch == epoch]

    async def follow(self) -> AsyncIterator[None]:
        """As the port says."""
        while True:
            client = redis.Redis.from_url(self._url, socket_connect_timeout=_PATIENCE, retry=None)
            try:
                async with client.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(self._key("push"))
                    yield None  # what was missed meanwhile
                    while True:
                        if await channel.get_message(timeout=None) is not None:
                            yield None
            except (RedisError, OSError):
                await asyncio.sleep(_RETRY)
            finally:
                await client.aclose()

    async def close(self) -> None:
        """As the port says."""
        await self._client.aclose()
