# SPDX-License-Identifier: AGPL-3.0-or-later
"""Spreads and percentiles."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loadtests.bench.stats import percentile, spread

values = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50)


def test_a_spread_is_minimum_median_maximum() -> None:
    assert spread([3.0, 1.0, 2.0, 10.0]) == (1.0, 2.5, 10.0, 4)


def test_percentiles_are_nearest_ranks() -> None:
    ordered = [float(number) for number in range(1, 101)]
    assert percentile(ordered, 0.5) == 50
    assert percentile(ordered, 0.99) == 99
    assert percentile(ordered, 1.0) == 100
    assert percentile([7.0], 0.0) == 7


@given(values, st.floats(0, 1))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(found: list[float], share: float) -> None:
    ordered = sorted(found)
    chosen = percentile(ordered, share)
    assert chosen in ordered
    assert sum(value <= chosen for value in ordered) >= share * len(ordered)
