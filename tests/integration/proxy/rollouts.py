# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real edge with a ramp that takes seconds, and visitors who keep their cookies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from tests.proxytest.edge import EdgeProcess, routing

GATES = (
    "{compare: false, min_requests: 30, min_users: 5, error_points: 50, slower_points: 50, tail_points: 100}"
)
RAMPS = f"ramps:\n  quick: {{steps: [10, 50, 100], dwell: 1s, soak: 1s, gates: {GATES}}}"
GROUPS = "things: {percent: 0, ramp: quick, routes: [GET /things/:id]}"


def routing_file(folder: Path, legacy: str, python: str, *, groups: str = GROUPS, more: str = RAMPS) -> Path:
    """Write it."""
    file = folder / "routing.yaml"
    file.write_text(routing(legacy, python, groups, more))
    return file


class Visitors:
    """So many people who ask over and over, each with a cookie of their own; errors are counted."""

    def __init__(self, ports: list[int], count: int = 150) -> None:
        self.answers: dict[int, int] = {}
        self.lost = 0
        self._ports = ports
        self._cookies = [f"banyan_bucket={number:032x}" for number in range(count)]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Visitors:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        self._tasks = [asyncio.create_task(self._visit(lane)) for lane in range(4)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    async def _visit(self, lane: int) -> None:
        while True:
            for number in range(lane, len(self._cookies), 4):
                port = self._ports[number % len(self._ports)]
                try:
                    async with self._session.get(
                        f"http://127.0.0.1:{port}/things/{number}", headers={"Cookie": self._cookies[number]}
                    ) as answer:
                        self.answers[answer.status] = self.answers.get(answer.status, 0) + 1
                        await answer.read()
                except aiohttp.ClientError:
                    self.lost += 1
                await asyncio.sleep(0.004)


async def until(condition: Callable[[], Awaitable[bool]], what: str, seconds: float = 60.0) -> None:
    """Wait for what other processes bring about."""
    try:
        async with asyncio.timeout(seconds):
            while not await condition():
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{what} did not come about in {seconds} s") from None


async def unit(edge: EdgeProcess, name: str = "things") -> Any:
    """What an edge shows of a unit."""
    return await edge.admin(f"/rollout/{name}")


async def share(edge: EdgeProcess, name: str = "things") -> float:
    """The share that an edge's parent has in effect, as /routes tells it."""
    routes = (await edge.admin("/routes"))["routes"]
    return float(next(route["percent"] for route in routes if route["group"] == name))


async def order(edge: EdgeProcess, verb: str, name: str = "things", **body: Any) -> Any:
    """Ask for something."""
    return await edge.admin(f"/rollout/{name}/{verb}", method="POST", json={"by": "kim", **body})
