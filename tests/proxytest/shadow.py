# SPDX-License-Identifier: AGPL-3.0-or-later
"""A shadowing edge as a process between two backends of a test, and what it found out."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.proxytest.edge import EdgeProcess, edge_process, routing

PLENTY = "shadow: {rate: 100000/s, concurrency: 64}"


class Shadowing:
    """Asks the admin port."""

    def __init__(self, edge: EdgeProcess, config: Path) -> None:
        self.edge = edge
        self.config = config

    @property
    def port(self) -> int:
        """Where users ask."""
        return self.edge.port

    async def comparisons(self) -> Any:
        """The evidence so far."""
        return await self.edge.admin("/comparisons")

    async def metrics(self) -> str:
        """Prometheus' text."""
        async with aiohttp.ClientSession() as session, session.get(self.edge.admin_url + "/metrics") as got:
            return await got.text()

    async def counted(self, name: str, *labels: str) -> float:
        """The sum of a metric's series that have all these labels (`reason="lost"`)."""
        total = 0.0
        for line in (await self.metrics()).splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == name and all(label in series for label in labels):
                total += float(value)
        return total

    async def outcomes(self) -> Counter[str]:
        """How often each outcome (and reason: `not_comparable raced`)."""
        found: Counter[str] = Counter()
        for endpoint in (await self.comparisons()).get("endpoints", ()):
            for outcome, times in endpoint["outcomes"].items():
                if outcome != "not_comparable" and times:
                    found[outcome] += times
            for why, times in endpoint["reasons"].items():
                found[f"not_comparable {why}"] += times
        return found

    async def until_compared(self, count: int, seconds: float = 60.0) -> Counter[str]:
        """Wait for so many outcomes."""
        async with asyncio.timeout(seconds):
            while sum((found := await self.outcomes()).values()) < count:
                await asyncio.sleep(0.02)
        return found

    async def until_counted(self, at_least: float, name: str, *labels: str, seconds: float = 60.0) -> float:
        """Wait for a metric."""
        async with asyncio.timeout(seconds):
            while (found := await self.counted(name, *labels)) < at_least:
                await asyncio.sleep(0.02)
        return found

    async def mirror_pid(self) -> int:
        """The comparing process."""
        return int((await self.edge.admin("/config"))["comparing"])

    async def reload(self, text: str) -> None:
        """Go on with another configuration."""
        self.config.write_text(text)
        outcome = await self.edge.admin("/reload", method="POST")
        assert outcome["ok"], outcome


@contextlib.asynccontextmanager
async def shadowing_edge(
    folder: Path,
    legacy: str,
    python: str,
    groups: str = "things: {percent: 0, shadow: 100, routes: [GET /things, GET /things/:id, POST /things]}",
    *,
    backend: str = PLENTY,
    more: str = "shadowing: {noise: 0/s}",
    environ: dict[str, str] | None = None,
) -> AsyncIterator[Shadowing]:
    """Run it. Each entry of `groups` is a line of the mapping."""
    config = folder / "routing.yaml"
    config.write_text(routing(legacy, python, groups, more, backend=backend))
    log = str(folder / "access.log")
    async with edge_process(config, "--access-log", log, environ=environ) as edge:
        yield Shadowing(edge, config)
