# SPDX-License-Identifier: AGPL-3.0-or-later
"""What happened per group and side over the last hours, coarse enough to be kept: for charts, not for decisions."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from itertools import islice
from typing import Final

import msgspec

from proxy.telemetry.metrics import Cell, Snapshot, percentile

STEP_SECONDS: Final = 10.0
KEPT: Final = 720
"""Points per side: two hours."""


class Point(msgspec.Struct, frozen=True):
    """One step. `rate` is requests per second, `errors` percent of them, `p95_ms` 0 where there were none."""

    at: float
    rate: float
    errors: float
    p95_ms: float


class History:
    """Takes a snapshot every now and then, and keeps a point for every step. Moments are seconds since 1970."""

    def __init__(self, step: float = STEP_SECONDS) -> None:
        self._step = step
        self._last: tuple[float, dict[tuple[str, ...], Cell]] | None = None
        self._points: dict[tuple[str, str], deque[Point]] = {}

    def add(self, now: float, snapshot: Snapshot) -> None:
        """What was counted until `now`. Between two steps nothing is kept."""
        if self._last is None:
            self._last = now, {cell.key: cell for cell in snapshot.cells}
            return
        began, before = self._last
        seconds = now - began
        if seconds < self._step:
            return
        sums: dict[tuple[str, str], Cell] = {}
        for cell in snapshot.cells:
            old = before.get(cell.key)
            whole = sums.setdefault((cell.group, cell.side), Cell("", cell.group, cell.side))
            whole.merge(cell if old is None else cell.minus(old))
        for key in {*self._points, *sums}:
            cell = sums.get(key) or Cell("", *key)
            points = self._points.setdefault(key, deque(maxlen=KEPT))
            points.append(_point(now, cell, seconds))
        self._last = now, {cell.key: cell for cell in snapshot.cells}

    def of(self, groups: Iterable[str], side: str, last: int = KEPT) -> list[Point]:
        """The `last` points of one side of these groups together, oldest first. Errors are weighed by requests; the
        slowest group's 95th percentile stands for all."""
        at: defaultdict[float, list[Point]] = defaultdict(list)
        for group in groups:
            points = self._points.get((group, side), ())
            for point in islice(reversed(points), last):
                at[point.at].append(point)
        return [_together(moment, points) for moment, points in sorted(at.items())]


def _point(now: float, cell: Cell, seconds: float) -> Point:
    requests = cell.requests
    return Point(
        now,
        round(requests / seconds, 3),
        round(100 * cell.errors / requests, 4) if requests else 0.0,
        round(percentile(cell.bins, 0.95) * 1000, 3),
    )


def _together(moment: float, points: list[Point]) -> Point:
    rate = sum(point.rate for point in points)
    errors = sum(point.rate * point.errors for point in points) / rate if rate else 0.0
    return Point(moment, round(rate, 3), round(errors, 4), max(point.p95_ms for point in points))
