# SPDX-License-Identifier: AGPL-3.0-or-later
"""Deadlines of many connections by one periodic sweep.

Each watched object has a `deadline` (seconds of `now`). Moving it later costs one attribute write: the
wheel looks again when the slot it stands in comes up. So each object is touched about once per time-out, however
busy it is, and idle ones cost nothing in between.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Protocol

TICK: Final = 0.25
NEVER: Final = math.inf


class Watched(Protocol):
    """What the wheel keeps an eye on. `slot` belongs to the wheel (0: not in it)."""

    deadline: float
    slot: int

    def on_deadline(self, now: float) -> None:
        """The deadline has passed."""
        ...


class Wheel:
    """Slots of `TICK` seconds, each with the objects to look at then."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.now = clock
        self._slots: dict[int, set[Watched]] = {}
        self._next = int(clock() / TICK)

    def watch(self, item: Watched, deadline: float) -> None:
        """Set `item`'s deadline (NEVER: none)."""
        item.deadline = deadline
        if deadline is NEVER:
            return
        slot = int(deadline / TICK) + 1
        if item.slot == 0 or slot < item.slot:
            self._leave(item)
            self._enter(item, slot)

    def forget(self, item: Watched) -> None:
        """Stop watching `item`."""
        item.deadline = NEVER
        self._leave(item)

    def sweep(self) -> None:
        """Call `on_deadline` of everything whose time has come. To be called every TICK."""
        now = self.now()
        last = int(now / TICK)
        while self._next <= last:
            for item in self._slots.pop(self._next, ()):
                if item.slot != self._next:
                    continue  # an earlier one of this slot forgot it, or gave it another time
                item.slot = 0
                if item.deadline <= now:
                    item.deadline = NEVER
                    item.on_deadline(now)
                elif item.deadline is not NEVER:
                    self._enter(item, int(item.deadline / TICK) + 1)
            self._next += 1

    def _enter(self, item: Watched, slot: int) -> None:
        slot = max(slot, self._next + 1)
        item.slot = slot
        self._slots.setdefault(slot, set()).add(item)

    def _leave(self, item: Watched) -> None:
        if item.slot:
            members = self._slots.get(item.slot)
            if members is not None:
                members.discard(item)
            item.slot = 0
