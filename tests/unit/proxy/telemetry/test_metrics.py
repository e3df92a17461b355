# SPDX-License-Identifier: AGPL-3.0-or-later
"""Counting, summing over workers, rendering, percentiles."""

from __future__ import annotations

import re
import statistics
from random import Random

import msgspec
import pytest

from proxy.telemetry.metrics import HELP, Recorder, Snapshot, percentile, render, series, total
from proxy.telemetry.window import Window


def recorder_with(requests: int, seconds: float = 0.01, status: int = 200, failed: bool = False) -> Recorder:
    recorder = Recorder()
    cell = recorder.meter("tags#index", "tags-reads", "python")
    for _ in range(requests):
        cell.add(status, seconds, failed, 10, 20)
    return recorder


def test_workers_are_summed_and_survive_a_round_trip() -> None:
    first, second = recorder_with(3), recorder_with(4, status=500)
    first.counters["banyan_edge_retries_total"] += 1
    second.counters["banyan_edge_retries_total"] += 2
    snapshots = [
        first.snapshot({"banyan_edge_connections": 5}),
        second.snapshot({"banyan_edge_connections": 6}),
    ]
    wired = [msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Snapshot) for one in snapshots]
    added = total(wired)
    (cell,) = added.cells
    assert cell.statuses == [0, 0, 3, 0, 0, 4]
    assert (cell.requests, cell.errors, cell.bytes_in, cell.bytes_out) == (7, 4, 70, 140)
    assert added.counters["banyan_edge_retries_total"] == 3
    assert added.gauges["banyan_edge_connections"] == 11


def test_prometheus_text() -> None:
    recorder = recorder_with(2, seconds=0.004)
    recorder.counters[series("banyan_edge_refused_total", code='quo"te')] += 1
    text = render(recorder.snapshot({"banyan_edge_generation": 3}))
    lines = text.splitlines()
    labels = 'route="tags#index",group="tags-reads",side="python",status="2xx"'
    assert f"banyan_edge_requests_total{{{labels}}} 2" in lines
    assert (
        'banyan_edge_request_duration_seconds_bucket{group="tags-reads",side="python",le="0.0025"} 0' in lines
    )
    assert (
        'banyan_edge_request_duration_seconds_bucket{group="tags-reads",side="python",le="0.005"} 2' in lines
    )
    assert (
        'banyan_edge_request_duration_seconds_bucket{group="tags-reads",side="python",le="+Inf"} 2' in lines
    )
    assert 'banyan_edge_request_duration_seconds_count{group="tags-reads",side="python"} 2' in lines
    assert 'banyan_edge_refused_total{code="quo\\"te"} 1' in lines
    assert "banyan_edge_generation 3" in lines
    sample = re.compile(r'[a-z_]+(\{([a-z]+="[^"\\\n]*(\\.[^"\\\n]*)*",?)*\})? [0-9.e+-]+')
    for line in lines:
        assert line.startswith("# ") or sample.fullmatch(line), line
    for line in lines:
        if not line.startswith("#"):
            family = re.sub(r"(_bucket|_sum|_count)?(\{.*)? .*", "", line)
            assert f"# TYPE {family} {HELP[family][0]}" in lines


def test_every_series_that_is_counted_has_a_help_text() -> None:
    with pytest.raises(KeyError):
        render(Snapshot(counters={"banyan_edge_unheard_of_total": 1}))


def test_percentiles_are_close() -> None:
    random = Random(7)
    values = [random.lognormvariate(-4, 1) for _ in range(20_000)]
    recorder = Recorder()
    meter = recorder.meter("a", "b", "c")
    for value in values:
        meter.add(200, value, False, 0, 0)
    cuts = statistics.quantiles(values, n=100)
    for share, exact in ((0.5, cuts[49]), (0.95, cuts[94]), (0.99, cuts[98])):
        assert percentile(meter.taken().bins, share) == pytest.approx(exact, rel=0.08)
    assert percentile([0] * len(meter.taken().bins), 0.5) == 0


def test_a_window_sees_only_its_seconds() -> None:
    recorder = recorder_with(100)
    window = Window()
    window.add(100.0, Snapshot(msgspec.convert(msgspec.to_builtins(recorder.snapshot({})), Snapshot).cells))
    cell = recorder.meter("tags#index", "tags-reads", "python")
    for _ in range(20):
        cell.add(502, 0.2, True, 0, 0)
    window.add(110.0, recorder.snapshot({}))
    figures = window.figures(10)["tags-reads"]["python"]
    assert (figures.requests, figures.errors, figures.rate) == (20, 20, 2.0)
    assert figures.p50_ms == pytest.approx(200, rel=0.25)
    assert window.figures(None)["tags-reads"]["python"].requests == 120
    assert Window().figures(10) == {}
