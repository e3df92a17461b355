# SPDX-License-Identifier: AGPL-3.0-or-later
"""Counting."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from banyan.demo.judge import SAME, Kind, Verdict
from banyan.demo.tally import Latencies, Tally


@given(st.lists(st.floats(1e-5, 100), min_size=1, max_size=200), st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]))
def test_percentiles_are_exact_to_two_percent(seconds: list[float], share: float) -> None:
    latencies = Latencies()
    for one in seconds:
        latencies.add(one)
    exact = sorted(seconds)[max(0, math.ceil(share * len(seconds)) - 1)] * 1000
    assert abs(latencies.percentile_ms(share) - exact) <= exact * 0.02 + 0.001


def test_nothing_counted_is_zero() -> None:
    assert Latencies().percentile_ms(0.5) == 0.0


def test_requests_are_counted_in_all_and_by_group() -> None:
    tally = Tally()
    tally.add("a", "one", SAME, 0.001)
    tally.add("a", "two", Verdict(Kind.DIFFERS, "/body"), 0.001)
    tally.add("b", "three", Verdict(Kind.EDGE_ERROR, "refused"), None)
    assert (tally.requests, tally.mismatches, tally.edge_errors) == (3, 1, 1)
    assert {name: (group.requests, group.errors) for name, group in tally.groups.items()} == {
        "a": (2, 0),
        "b": (1, 1),
    }
    assert tally.groups["b"].latencies.percentile_ms(0.5) == 0.0


def test_findings_are_told_once_for_each_case_and_not_without_end() -> None:
    tally = Tally()
    for number in range(1000):
        tally.add("a", f"case {number % 100}", Verdict(Kind.DIFFERS, "/body"), 0.001)
    assert tally.mismatches == 1000
    assert len(tally.findings) == 20
    assert tally.findings["case 7"] == "differs: case 7: /body"
