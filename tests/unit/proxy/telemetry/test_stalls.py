# SPDX-License-Identifier: AGPL-3.0-or-later
"""The longest stall by cause, forgotten after a minute."""

from __future__ import annotations

import gc

from proxy.telemetry.stalls import Stalls


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def test_the_longest_of_each_cause_is_kept() -> None:
    stalls = Stalls(Clock())
    for seconds in (0.001, 0.003, 0.002):
        stalls.note("install", seconds)
    stalls.note("sweep", 0.004)
    assert stalls.longest() == {"install": 0.003, "sweep": 0.004}


def test_they_are_forgotten_after_a_minute() -> None:
    clock = Clock()
    stalls = Stalls(clock)
    stalls.note("install", 0.5)
    clock.time += 30
    stalls.note("sweep", 0.1)
    assert stalls.longest() == {"install": 0.5, "sweep": 0.1}
    clock.time += 30
    assert stalls.longest() == {}


def test_after_a_long_silence_nothing_old_is_left() -> None:
    clock = Clock()
    stalls = Stalls(clock)
    stalls.note("install", 0.5)
    clock.time += 3600
    assert stalls.longest() == {}


def test_the_collector_is_watched() -> None:
    stalls = Stalls(Clock())
    stalls.watch_collector()
    try:
        gc.collect()
    finally:
        gc.callbacks.pop()
    assert stalls.longest()["collection"] > 0
    with stalls.during("count"):
        pass
    assert "count" in stalls.longest()
