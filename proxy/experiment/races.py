# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether a write may have come between the two reads of a pair. Pure: times are seconds of one clock.

A pair is raced when a write to the same domain, by the same user or naming the same record, was under way within two
seconds before the first read or at any moment until the second was answered. A write that names no record in its
address (its record is in the body) may be about any record of its domain.

What is not known counts as raced: the first seconds of a process that has not seen what was written before it, and
the time about a report of a write that was lost.
"""

from __future__ import annotations

import math
import re
from collections import deque
from typing import Final

import msgspec

from proxy.routing.table import Route

BEFORE: Final = 2.0
"""Seconds for which a write is felt: what it sets off (jobs, counters) may come a little later."""

ANYTHING: Final = frozenset({"*"})
"""The domain of what is not known."""

_MOST_WRITES: Final = 50_000
_QUERY_NAMES: Final = re.compile(r"(?:^|[&;])[^=&;]*(?:ids?|keys?)(?:\[\]|%5B%5D)?=([^&;]*)", re.IGNORECASE)
_WORDS: Final = re.compile(r"[0-9A-Za-z_-]+")
_LITERALS: Final = re.compile(r"/([^/():*]+)")


def domain_of(route: Route) -> frozenset[str]:
    """What a route reads or writes: its resource, its group, its bundle. Two routes meet where they share one.

    What no route matches may be about anything."""
    if not route.pattern:
        return ANYTHING
    resource = route.name.rpartition("/")[2].partition("#")[0]
    names = {f"resource:{resource}"}
    if route.group is not None:
        names.add(f"group:{route.group.name}")
        if route.group.bundle is not None:
            names.add(f"bundle:{route.group.bundle}")
    return frozenset(names)


def records_of(route: Route, target: bytes) -> frozenset[str]:
    """The ids and keys in a request's path and query."""
    path, _, query = target.decode("latin-1").partition("?")
    literals = set(_LITERALS.findall(route.pattern))
    names = {part.partition(".")[0] for part in path.split("/")} - literals - {""}
    for value in _QUERY_NAMES.findall(query):
        names.update(_WORDS.findall(value.replace("%2C", ",").replace("%2c", ",")))
    return frozenset(names)


class Touch(msgspec.Struct, frozen=True):
    """What a request is about, and for whom. `subject` is empty for a visitor nobody knows."""

    domain: frozenset[str]
    records: frozenset[str]
    subject: bytes

    def is_met_by(self, write: Touch) -> bool:
        """Whether `write` may change what this one reads."""
        if self.domain.isdisjoint(write.domain) and write.domain is not ANYTHING:
            return False
        same_user = bool(write.subject) and write.subject == self.subject
        return same_user or not write.records or not self.records.isdisjoint(write.records)


class Races:
    """The writes of late. `began` and `ended` report one under a key of its own."""

    def __init__(self, now: float, keep: float) -> None:
        """`keep`: how many seconds a pair may take until it is asked about."""
        self._keep = keep + BEFORE
        self._blind = [(-math.inf, now + BEFORE)]  # what was before this moment was not seen
        self._open: dict[tuple[int, int], tuple[float, Touch]] = {}
        self._closed: deque[tuple[float, float, Touch]] = deque()

    def began(self, key: tuple[int, int], at: float, touch: Touch) -> None:
        """A write is on its way to its backend."""
        if len(self._open) >= _MOST_WRITES:
            self._forget_oldest()
        self._open[key] = (at, touch)

    def ended(self, key: tuple[int, int], at: float) -> None:
        """It was answered, or failed."""
        found = self._open.pop(key, None)
        if found is None:
            return
        self._closed.append((found[0], at, found[1]))
        while self._closed and self._closed[0][1] < at - self._keep:
            self._closed.popleft()
        if len(self._closed) > _MOST_WRITES:
            began, ended, _ = self._closed.popleft()
            self.lost(began, ended)

    def lost(self, since: float, until: float) -> None:
        """Writes between these moments may not have been reported."""
        if self._blind[-1][1] + BEFORE >= since:
            before = self._blind.pop()
            self._blind.append((before[0], max(before[1], until + BEFORE)))
        else:
            self._blind.append((since, until + BEFORE))
            del self._blind[:-100]

    def raced(self, reading: Touch, since: float, until: float) -> bool:
        """Whether a read that began at `since` and one that was answered at `until` may have seen different rows."""
        if any(start <= until and since <= end for start, end in self._blind):
            return True
        if any(at <= until and reading.is_met_by(touch) for at, touch in self._open.values()):
            return True
        return any(
            began <= until and ended >= since - BEFORE and reading.is_met_by(touch)
            for began, ended, touch in reversed(self._closed)
        )

    def _forget_oldest(self) -> None:
        key = next(iter(self._open))
        at, _ = self._open.pop(key)
        self.lost(at, at + self._keep)
