# SPDX-License-Identifier: AGPL-3.0-or-later
"""For how long a worker's loop stood still lately, and why. While it does, no request moves."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal

Cause = Literal["install", "count", "sweep", "collection", "late"]
"""A new table, a snapshot for the metrics, the regular tick, the garbage collector; a tick that came too late, which
is anything else, also another process on the same core."""

_HALF: Final = 30.0


class Stalls:
    """The longest by cause in the last minute, give or take half of it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._recent: dict[Cause, float] = {}
        self._before: dict[Cause, float] = {}
        self._turn_at = now() + _HALF

    def note(self, cause: Cause, seconds: float) -> None:
        """The loop stood still for so long."""
        if seconds > self._recent.get(cause, 0.0):
            self._recent[cause] = seconds

    @contextmanager
    def during(self, cause: Cause) -> Iterator[None]:
        """Note how long the block takes."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.note(cause, time.perf_counter() - started)

    def longest(self) -> dict[Cause, float]:
        """Cause → seconds."""
        now = self._now()
        if now >= self._turn_at:
            self._before = self._recent if now < self._turn_at + _HALF else {}
            self._recent = {}
            self._turn_at = now + _HALF
        return {
            cause: max(self._recent.get(cause, 0.0), self._before.get(cause, 0.0))
            for cause in sorted({*self._recent, *self._before})
        }

    def watch_collector(self) -> None:
        """Note every run of the garbage collector in this process."""
        started = 0.0

        def collector(phase: str, _info: dict[str, int]) -> None:
            nonlocal started
            if phase == "start":
                started = time.perf_counter()
            else:
                self.note("collection", time.perf_counter() - started)

        gc.callbacks.append(collector)
