# SPDX-License-Identifier: AGPL-3.0-or-later
"""No backend is asked more often, or more often at once, than it may be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.config.written import Shadow
from proxy.experiment.budget import Budget, Rate


@given(st.integers(0, 100), st.lists(st.floats(0, 0.5), max_size=200))
def test_a_rate_is_kept_over_any_time(rate: int, pauses: list[float]) -> None:
    now = 100.0
    one = Rate(float(rate), now)
    taken = 0
    for pause in pauses:
        now += pause
        taken += one.takes(now)
        assert taken <= rate * (now - 100.0) + max(rate, 1) + 1e-6
    if not rate:
        assert taken == 0


def test_a_slow_rate_passes_the_first_and_then_one_in_a_while() -> None:
    rate = Rate(0.5, 0.0)
    assert [rate.takes(at) for at in (0.0, 0.1, 1.9, 2.1, 2.2, 4.2)] == [
        True,
        False,
        False,
        True,
        False,
        True,
    ]


def test_no_more_are_under_way_than_may_be() -> None:
    budget = Budget(Shadow(rate=1000, concurrency=2), 0.0)
    assert [budget.begin(0.0) for _ in range(3)] == [True, True, False]
    budget.end()
    assert budget.begin(0.0)
    budget.adjust(Shadow(rate=1000, concurrency=0), 0.0)
    budget.end()
    budget.end()
    assert not budget.begin(1.0)
