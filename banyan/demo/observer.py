# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keeps the state of a demo current by asking the edge: generations, refusals, shares, which group a request is in."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from banyan.demo.admin import NO_GROUP, Admin, AdminUnreachableError, Finding, Stats
from banyan.demo.crowd import Traffic
from banyan.demo.live import Live, changes, clock, hint, is_moving
from contracts.traffic import Mix, ReadyRequest

_LOOK_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 5.0

_WINDOW_SECONDS: Final = (2.0, 10.0)
"""Live figures are of the time since the generation changed, but of no less and no more than this."""


class Observer:
    """Watches the edge behind `admin` for `live`. `traffic` follows what moves."""

    def __init__(
        self, admin: Admin, live: Live, config: Path, requests: Sequence[ReadyRequest], mix: Mix
    ) -> None:
        self.traffic = Traffic(mix)
        self.admin = admin
        self._live = live
        self._config = config
        self._requests = requests
        self._group_of: dict[tuple[str, str], str] = {}
        self._generation = 0
        self._changed = 0.0
        self._moved: set[str] = set()

    def group_of(self, request: ReadyRequest) -> str:
        """The group that a request is in, by the latest generation that was seen."""
        return self._group_of.get((request.method, request.target), NO_GROUP)

    async def run(self) -> None:
        """Look again and again; never returns. Raises `AdminUnreachableError` after some seconds of silence."""
        answered = time.monotonic()
        while True:
            try:
                await self.look()
                answered = time.monotonic()
            except AdminUnreachableError:
                if time.monotonic() - answered > _PATIENCE_SECONDS:
                    raise
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Ask the edge once. Raises `AdminUnreachableError`."""
        running = await self.admin.running()
        shortest, longest = _WINDOW_SECONDS
        stats = await self.admin.stats(min(max(time.monotonic() - self._changed, shortest), longest))
        self._judge(running.rejected.errors if running.rejected else ())
        if stats.generation != self._generation:
            await self._follow(stats)
        self._live.stats = stats

    def _judge(self, rejected: tuple[Finding, ...]) -> None:
        """Tell when the file on disk is refused, and when it is in order again."""
        before, self._live.rejected = self._live.rejected, rejected
        if rejected and rejected != before:
            self._tell(f"refused, generation {self._generation} goes on: {rejected[0]}")
        elif before and not rejected:
            self._tell("the routing file is in order again")

    async def _follow(self, stats: Stats) -> None:
        """A generation that we have not seen: groups may hold other routes and have other shares."""
        if self._generation:
            self._tell(changes(self._live.stats, stats))
        self._generation = stats.generation
        self._changed = time.monotonic()
        self._group_of = await self.admin.groups_of(
            (request.method, request.target) for request in self._requests
        )
        # A group that is sent back keeps its traffic, so that its way back can be seen, too.
        self._moved |= {name for name, group in stats.groups.items() if is_moving(group)}
        self.traffic = self.traffic.with_moving(
            [request for request in self._requests if self.group_of(request) in self._moved]
        )
        text = await asyncio.to_thread(self._config.read_text, "utf-8", "replace")
        self._live.hint = hint(
            self._live.config, text, stats, Counter(self.group_of(request) for request in self._requests)
        )

    def _tell(self, event: str) -> None:
        self._live.events.append(f"{clock(self._live.elapsed)}  {event}")


async def settled(admin: Admin, requests: int) -> Stats:
    """The edge's figures since its start, as soon as they count so many requests; it counts once a second.

    Requests that never reached the edge are in no count, so after some seconds the figures are taken as they are.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        stats = await admin.stats()
        counted = sum(figures.requests for group in stats.groups.values() for figures in group.sides.values())
        if counted >= requests or time.monotonic() > deadline:
            return stats
        await asyncio.sleep(0.1)
