# SPDX-License-Identifier: AGPL-3.0-or-later
"""Counting."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from banyan.demo.judge import SAME, Kind, Verdict
from banyan.demo.tally import Latencies, Tally
from tests.unit.banyan.demo.cases import case


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
    tally.add("a", case("/one", 1), SAME, 0.001)
    tally.add("a", case("/two", 1), Verdict(Kind.DIFFERS, "/body"), 0.001)
    tally.add("b", case("/three", 1), Verdict(Kind.EDGE_ERROR, "refused"), None)
    assert (tally.requests, tally.mismatches, tally.edge_errors) == (3, 1, 1)
    assert {name: (group.requests, group.errors) for name, group in tally.groups.items()} == {
        "a": (2, 0),
        "b": (1, 1),
    }
    assert tally.groups["b"].latencies.percentile_ms(0.5) == 0.0


def test_findings_of_one_endpoint_and_kind_are_told_once_with_their_number() -> None:
    tally = Tally()
    for number in range(1234):
        tally.add("a", case(f"/{number}", 1, id=f"case {number}"), Verdict(Kind.DIFFERS, "/body"), 0.001)
    tally.add("a", case("/x", 1, id="case x", endpoint="other#index"), Verdict(Kind.DIFFERS, "/body"), 0.001)
    assert list(map(str, tally.findings)) == [
        "differs (1,234 times): case 0: /body",
        "differs: case x: /body",
    ]


def test_findings_do_not_grow_without_end() -> None:
    tally = Tally()
    for number in range(1000):
        tally.add("a", case("/one", 1), Verdict(Kind.EDGE_ERROR, f"detail {number}"), None)
    assert tally.edge_errors == 1000
    assert len(tally.findings) == 50
