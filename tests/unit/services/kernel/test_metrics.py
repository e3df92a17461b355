# SPDX-License-Identifier: AGPL-3.0-or-later
"""Counters, and their sum over processes."""

from __future__ import annotations

from services.kernel.metrics import KINDS, Metrics, exposition, series, total


def test_workers_add_up() -> None:
    one, other = Metrics(), Metrics()
    one.answered("reactions#index", 200, 0.004, 6)
    one.answered("reactions#index", 200, 99.0, 6)
    other.answered("reactions#index", 403, 0.002, 3)
    other.failed("access_denied")
    samples = total([one.samples({"idle": 1}), other.samples({"idle": 2})])
    lines = exposition(samples).splitlines()
    label = 'route="reactions#index"'
    duration = "banyan_services_request_duration_seconds"
    assert f'banyan_services_requests_total{{{label},status="200"}} 2.0' in lines
    assert f'banyan_services_requests_total{{{label},status="403"}} 1.0' in lines
    assert f"banyan_services_queries_total{{{label}}} 15.0" in lines
    assert f'{duration}_bucket{{{label},le="0.0025"}} 1.0' in lines
    assert f'{duration}_bucket{{{label},le="0.005"}} 2.0' in lines
    assert f'{duration}_bucket{{{label},le="+Inf"}} 3.0' in lines
    assert f"{duration}_count{{{label}}} 3.0" in lines
    assert 'banyan_services_database_connections{state="idle"} 3' in lines
    assert "banyan_services_workers 2" in lines


def test_every_metric_has_its_type_and_every_sample_its_metric() -> None:
    metrics = Metrics()
    metrics.answered("x", 200, 0.1, 1)
    metrics.failed("y")
    lines = exposition(metrics.samples({"busy": 1})).splitlines()
    assert [line for line in lines if line.startswith("# TYPE")] == [
        f"# TYPE {name} {kind}" for name, (kind, _) in KINDS.items()
    ]
    assert sum(not line.startswith("#") for line in lines) == len(metrics.samples({"busy": 1}))


def test_labels_are_escaped() -> None:
    assert series("m", {"a": 'x"\\\n'}) == 'm{a="x\\"\\\\\\n"}'
    assert series("m", {}) == "m"
