# SPDX-License-Identifier: AGPL-3.0-or-later
"""Store and journal in memory: for an edge that is alone, and for several in one process on a clock of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

from proxy.rollout.evidence import Traffic
from proxy.rollout.ports import Entry, Heartbeat, Shared, UnavailableError
from proxy.rollout.state import State

LEASE_SECONDS = 3.0
"""How long a leader that says nothing stays leader."""
ALIVE_SECONDS = 10.0
"""How long a replica that says nothing is shown."""


class MemoryStore:
    """Shared by all who hold this object. `away`: it cannot be reached."""

    def __init__(self, now: Callable[[], float], *, shared: bool = True, seeded: bool = False) -> None:
        self.shared = shared
        self.away = False
        self._now = now
        self._listeners: set[asyncio.Event] = set()
        self.clear()
        self._seeded = seeded

    def clear(self) -> None:
        """Forget everything, as a server does that was restarted without a disk."""
        self._states: dict[str, State] = {}
        self._frozen = False
        self._seeded = False
        self._lease = ("", 0.0)
        self._beats: dict[str, Heartbeat] = {}
        self._traffic: dict[tuple[str, str], tuple[int, Mapping[str, Traffic]]] = {}

    def _reach(self) -> None:
        if self.away:
            raise UnavailableError("the store is away")

    async def load(self) -> Shared:
        self._reach()
        return Shared(dict(self._states), self._frozen, self._seeded)

    async def put(self, state: State, expected: int) -> bool:
        self._reach()
        known = self._states.get(state.unit)
        if (-1 if known is None else known.version) != expected:
            return False
        self._states[state.unit] = state
        self._push()
        return True

    async def freeze(self, frozen: bool) -> None:
        self._reach()
        self._frozen = frozen
        self._push()

    async def seed(self, states: Mapping[str, State]) -> bool:
        self._reach()
        if self._seeded:
            return False
        self._states = dict(states)
        self._seeded = True
        self._push()
        return True

    async def lead(self, replica: str) -> bool:
        self._reach()
        holder, until = self._lease
        if holder != replica and self._now() < until:
            return False
        self._lease = (replica, self._now() + LEASE_SECONDS)
        return True

    async def leader(self) -> str:
        self._reach()
        return self._lease[0] if self._now() < self._lease[1] else ""

    async def report(self, heartbeat: Heartbeat) -> None:
        self._reach()
        self._beats[heartbeat.replica] = heartbeat

    async def replicas(self) -> list[Heartbeat]:
        self._reach()
        return [beat for beat in self._beats.values() if self._now() - beat.at < ALIVE_SECONDS]

    async def give(self, replica: str, unit: str, epoch: int, traffic: Mapping[str, Traffic]) -> None:
        self._reach()
        self._traffic[unit, replica] = (epoch, traffic)

    async def gather(self, unit: str, epoch: int) -> list[Mapping[str, Traffic]]:
        self._reach()
        return [traffic for (of, _), (then, traffic) in self._traffic.items() if of == unit and then == epoch]

    async def follow(self) -> AsyncIterator[None]:
        changed = asyncio.Event()
        self._listeners.add(changed)
        try:
            while True:
                await changed.wait()
                changed.clear()
                yield None
        finally:
            self._listeners.discard(changed)

    def _push(self) -> None:
        for listener in self._listeners:
            listener.set()

    async def close(self) -> None:
        """Nothing to let go of."""


class MemoryJournal:
    """Lines in a list. `away`: it cannot be reached."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.away = False

    async def append(self, entry: Entry) -> None:
        if self.away:
            raise UnavailableError("the journal is away")
        self.entries.append(entry)

    async def read(self, unit: str | None, limit: int) -> list[Entry]:
        if self.away:
            raise UnavailableError("the journal is away")
        return [entry for entry in reversed(self.entries) if unit is None or entry.unit == unit][:limit]

    async def latest(self) -> dict[str, State]:
        if self.away:
            raise UnavailableError("the journal is away")
        return {entry.unit: entry.state for entry in self.entries if entry.state is not None}
