# SPDX-License-Identifier: AGPL-3.0-or-later
"""Comparing within rounds."""

from __future__ import annotations

import pytest

from loadtests.bench.compare import compared, rows


def test_ratios_are_to_nginx_of_the_same_round() -> None:
    def shown(edge: tuple[float, float], nginx: tuple[float, float]) -> dict[str, dict[str, float]]:
        return {
            name: {"throughput_rps": rate, "cpu_us_per_request": cpu}
            for name, (rate, cpu) in (("edge-pure", edge), ("nginx", nginx))
        }

    rounds = [shown((80.0, 30.0), (100.0, 25.0)), shown((30.0, 60.0), (50.0, 40.0))]
    found = {(row.subject, row.metric): row for row in rows("case", rounds)}
    ratio = found["edge-pure", "throughput_ratio"]
    assert (ratio.case, ratio.min, ratio.median, ratio.max, ratio.rounds) == ("case", 0.6, 0.7, 0.8, 2)
    assert (found["edge-pure", "cpu_ratio"].min, found["edge-pure", "cpu_ratio"].max) == (1.2, 1.5)
    assert found["nginx", "cpu_ratio"].max == 1.0


def test_added_latency_is_over_the_origin_and_over_nginx() -> None:
    shown = compared(
        {
            "direct": {"p50_us": 50.0, "p99_us": 100.0},
            "nginx": {"p50_us": 90.0, "p99_us": 300.0},
            "edge-pure": {"p50_us": 110.0, "p99_us": 250.0},
        }
    )
    edge = shown["edge-pure"]
    assert (edge["added_p50_us"], edge["added_p99_us"]) == (60.0, 150.0)
    assert (edge["added_p50_over_nginx_us"], edge["added_p99_over_nginx_us"]) == (20.0, -50.0)
    assert shown["nginx"]["added_p50_us"] == 40.0
    assert shown["direct"] == {"p50_us": 50.0, "p99_us": 100.0}


def test_without_nginx_there_are_no_ratios() -> None:
    shown = {"edge-pure": {"throughput_rps": 80.0, "cpu_ms": 3.0, "p50_us": 5.0}}
    assert compared(shown) == shown


@pytest.mark.parametrize("metric", ["cpu_us_per_request", "cpu_us_per_message", "cpu_ms"])
def test_any_cpu_time_gives_the_ratio(metric: str) -> None:
    assert compared({"nginx": {metric: 2.0}, "node": {metric: 5.0}})["node"]["cpu_ratio"] == 2.5


def test_a_round_in_which_a_subject_failed_counts_for_the_others() -> None:
    found = rows("case", [{"nginx": {"cpu_ms": 2.0}, "node": {"cpu_ms": 4.0}}, {"node": {"cpu_ms": 6.0}}])
    assert {(row.subject, row.metric): row.rounds for row in found} == {
        ("nginx", "cpu_ms"): 1,
        ("nginx", "cpu_ratio"): 1,
        ("node", "cpu_ms"): 2,
        ("node", "cpu_ratio"): 1,
    }


def test_one_program_in_two_conditions_is_compared_with_itself() -> None:
    shown = {
        "off": {"p50_us": 100.0, "cpu_us_per_request": 10.0},
        "on": {"p50_us": 110.0, "cpu_us_per_request": 12.0},
    }
    found = compared(shown, "off")["on"]
    assert (found["p50_ratio"], found["cpu_ratio"]) == (1.1, 1.2)
