# SPDX-License-Identifier: AGPL-3.0-or-later
"""Figures of the last seconds, per group × side, from a row of snapshots."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from proxy.telemetry.metrics import Cell, Placing, Snapshot, percentile

_KEPT_SECONDS: Final = 60.0


class Figures(msgspec.Struct):
    """What happened in a span of time. Latencies are milliseconds, `rate` requests per second."""

    requests: int
    errors: int
    rate: float
    p50_ms: float
    p95_ms: float


class Window:
    """The snapshots of the last minute, one a second or so."""

    def __init__(self) -> None:
        self._rows: deque[tuple[float, Snapshot]] = deque()

    def add(self, now: float, snapshot: Snapshot) -> None:
        """Append what was counted until `now` (seconds of any steady clock)."""
        self._rows.append((now, snapshot))
        while self._rows and self._rows[0][0] < now - _KEPT_SECONDS:
            self._rows.popleft()

    @property
    def newest(self) -> float:
        """When it was last counted; 0 before that."""
        return self._rows[-1][0] if self._rows else 0.0

    def figures(self, seconds: float | None) -> dict[str, dict[str, Figures]]:
        """Group → side → figures of the last `seconds`, or of the whole time (None). "" is: in no group."""
        sums, span = self.sums(seconds, lambda cell: (cell.group, cell.side))
        figures: dict[str, dict[str, Figures]] = {}
        for (group, side), cell in sums.items():
            figures.setdefault(group, {})[side] = _figures(cell, span)
        return figures

    def sums(
        self, seconds: float | None, key: Callable[[Cell], tuple[str, str]]
    ) -> tuple[dict[tuple[str, str], Cell], float]:
        """What was counted in the last `seconds`, or since the start (None), added up by `key`; and in how many seconds
        that was (0 since the start)."""
        if not self._rows:
            return {}, 0.0
        now, newest = self._rows[-1]
        before: dict[tuple[str, str, str, Placing], Cell] = {}
        span = 0.0
        if seconds is not None:
            start, oldest = next(row for row in self._rows if row[0] >= now - seconds)
            before = {cell.key: cell for cell in oldest.cells}
            span = now - start
        sums: dict[tuple[str, str], Cell] = {}
        for cell in newest.cells:
            old = before.get(cell.key)
            whole = sums.setdefault(key(cell), Cell("", cell.group, cell.side))
            whole.merge(cell if old is None else cell.minus(old))
        return sums, span


def _figures(cell: Cell, span: float) -> Figures:
    return Figures(
        requests=cell.requests,
        errors=cell.errors,
        rate=round(cell.requests / span, 2) if span else 0.0,
        p50_ms=round(percentile(cell.bins, 0.5) * 1000, 3),
        p95_ms=round(percentile(cell.bins, 0.95) * 1000, 3),
    )
