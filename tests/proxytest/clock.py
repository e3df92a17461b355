# SPDX-License-Identifier: AGPL-3.0-or-later
"""Let time pass for an edge without waiting for it."""

from __future__ import annotations

import time

from proxy.dataplane.edge import Edge


class EdgeClock:
    """The clock of an edge in this process: real time, and what the test lets pass besides."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._ahead = 0.0
        edge.now = edge.wheel.now = self._now
        for pool in edge.generation.pools:
            pool.now = self._now

    def _now(self) -> float:
        return time.monotonic() + self._ahead

    def pass_by(self, seconds: float) -> None:
        """So many seconds pass at once, and the edge looks at its deadlines."""
        self._ahead += seconds
        self._edge.wheel.sweep()
        for pool in self._edge.generation.pools:
            pool.sweep()
