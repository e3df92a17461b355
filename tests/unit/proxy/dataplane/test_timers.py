# SPDX-License-Identifier: AGPL-3.0-or-later
"""The wheel: deadlines are kept, whatever is moved in between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dataplane.timers import NEVER, TICK, Wheel


class Item:
    def __init__(self, clock: list[float]) -> None:
        self.deadline = NEVER
        self.slot = 0
        self.fired: list[float] = []
        self._clock = clock

    def on_deadline(self, now: float) -> None:
        self.fired.append(now)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.one_of(st.none(), st.floats(0, 20)), st.floats(0, 3)),
        min_size=1,
        max_size=60,
    )
)
def test_each_deadline_fires_once_and_in_time(moves: list[tuple[int, float | None, float]]) -> None:
    clock = [100.0]
    wheel = Wheel(lambda: clock[0])
    items = [Item(clock) for _ in range(4)]
    due: dict[int, float] = {}

    def pass_time(seconds: float) -> None:
        end = clock[0] + seconds
        while clock[0] < end:
            clock[0] = min(end, clock[0] + TICK)
            before = {at: len(item.fired) for at, item in enumerate(items)}
            wheel.sweep()
            for at, item in enumerate(items):
                if len(item.fired) > before[at]:
                    assert due.pop(at) <= clock[0]
                elif at in due:
                    assert due[at] > clock[0] - 2 * TICK - 1e-9

    for which, delay, rest in moves:
        if delay is None:
            wheel.forget(items[which])
            due.pop(which, None)
        else:
            due[which] = clock[0] + delay
            wheel.watch(items[which], due[which])
        pass_time(rest)
    pass_time(25)
    assert not due


def test_forgetting_a_neighbour_while_sweeping() -> None:
    clock = [0.0]
    wheel = Wheel(lambda: clock[0])
    first, second = Item(clock), Item(clock)

    def forget_both(now: float) -> None:
        wheel.forget(first)
        wheel.forget(second)

    first.on_deadline = second.on_deadline = forget_both  # type: ignore[method-assign]  # the point of the test
    wheel.watch(first, 1.0)
    wheel.watch(second, 1.0)
    clock[0] = 5.0
    wheel.sweep()
    assert (first.deadline, second.deadline) == (NEVER, NEVER)


class Counted:
    """Counts how often it is looked at."""

    looks = 0

    def __init__(self) -> None:
        self.slot = 0
        self._deadline = NEVER

    @property
    def deadline(self) -> float:
        Counted.looks += 1
        return self._deadline

    @deadline.setter
    def deadline(self, deadline: float) -> None:
        self._deadline = deadline

    def on_deadline(self, now: float) -> None:
        """Nothing is to be done."""


@pytest.mark.parametrize("idle", [10, 10_000])
def test_idle_connections_cost_a_sweep_nothing_until_they_are_due(idle: int) -> None:
    clock = [0.0]
    wheel = Wheel(lambda: clock[0])
    items = [Counted() for _ in range(idle)]
    for item in items:
        wheel.watch(item, 75.0)
    Counted.looks = 0
    while clock[0] < 74.0:
        clock[0] += TICK
        wheel.sweep()
    assert Counted.looks == 0
    clock[0] = 76.0
    wheel.sweep()
    assert Counted.looks <= 2 * idle
    assert all(item.slot == 0 for item in items)


def test_a_busy_connection_is_looked_at_once_per_time_out() -> None:
    clock = [0.0]
    wheel = Wheel(lambda: clock[0])
    item = Counted()
    Counted.looks = 0
    while clock[0] < 100.0:
        clock[0] += TICK
        wheel.watch(item, clock[0] + 10.0)
        wheel.sweep()
    assert Counted.looks <= 3 * 100 / 10 + 3
