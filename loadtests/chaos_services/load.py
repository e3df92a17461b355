# SPDX-License-Identifier: AGPL-3.0-or-later
"""Clients that ask without end, and what they were answered."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import aiohttp

NOTHING, DATABASE, REDIS = "nothing", "database", "database+redis"
"""What an answer needs."""

PATHS: Final = (
    (NOTHING, "/api/v1/boot/version"),
    (DATABASE, "/api/v1/reactions?comment_ids=1"),
    (DATABASE, "/api/v1/groups/count_explore_results"),
    (REDIS, "/api/v1/boot/site"),
)
PAUSE: Final = 0.03
LONGEST: Final = 20.0
"""Seconds after which no answer counts as a broken connection."""


@dataclass(slots=True)
class Load:
    """What was answered since `begin`, by need: statuses, with "503!" for one without `Retry-After`, and "broken"."""

    url: str
    cookies: Mapping[str, str]
    client: aiohttp.ClientSession
    answers: dict[str, Counter[str]] = field(default_factory=dict)
    last_bad: float = 0.0
    """When something other than 200 was answered last (monotonic)."""
    good: dict[str, float] = field(default_factory=dict)
    """When each path was last answered with 200 (monotonic)."""

    def begin(self) -> None:
        """Count from now on."""
        self.answers = {need: Counter() for need, _ in PATHS}

    async def ask(self, number: int) -> None:
        """One client."""
        turn = number
        while True:
            need, path = PATHS[turn % len(PATHS)]
            turn += 1
            said = await self._answer(path, {} if need == NOTHING else self.cookies)
            self.answers[need][said] += 1
            now = time.monotonic()
            if said == "200":
                self.good[path] = now
            else:
                self.last_bad = now
            await asyncio.sleep(PAUSE)

    async def _answer(self, path: str, cookies: Mapping[str, str]) -> str:
        try:
            async with self.client.get(self.url + path, cookies=cookies) as answer:
                await answer.read()
                if answer.status == 503 and "Retry-After" not in answer.headers:
                    return "503!"
                return str(answer.status)
        except (aiohttp.ClientError, TimeoutError):
            return "broken"

    async def recovered(self, since: float, calm: float, patience: float = 60.0) -> float | None:
        """Wait until every path was answered and nothing failed for `calm` seconds. Seconds from `since` to the last
        failure; None where it does not end."""
        while time.monotonic() - since < patience:
            await asyncio.sleep(0.02)
            clear_since = max(since, self.last_bad)
            if all(self.good.get(path, 0.0) > clear_since for _, path in PATHS) and (
                time.monotonic() - clear_since >= calm
            ):
                return max(0.0, self.last_bad - since)
        return None


@asynccontextmanager
async def asking(url: str, cookies: Mapping[str, str], clients: int) -> AsyncIterator[Load]:
    """Clients at work; they end with the block."""
    jar = aiohttp.DummyCookieJar()
    timeout = aiohttp.ClientTimeout(total=LONGEST)
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=timeout) as client:
        load = Load(url, cookies, client)
        load.begin()
        asked = [asyncio.create_task(load.ask(number)) for number in range(clients)]
        try:
            yield load
        finally:
            for task in asked:
                task.cancel()
            for task in asked:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
