# SPDX-License-Identifier: AGPL-3.0-or-later
from __future__ import annotations

import msgspec

from proxy.telemetry.history import KEPT, History
from proxy.telemetry.metrics import Recorder, Snapshot


def test_points_are_what_happened_in_a_step() -> None:
    recorder, history = Recorder(), History(10)
    meter = recorder.meter("a#index", "a", "python")
    meter.add(200, 0.01, False, 0, 0)
    history.add(100, _copy(recorder))  # what was before is nobody's step
    for status in (200, 200, 200, 500):
        meter.add(status, 0.1, False, 0, 0)
    history.add(105, _copy(recorder))
    assert history.of(["a"], "python") == []
    history.add(110, _copy(recorder))
    (point,) = history.of(["a"], "python")
    assert (point.at, point.rate, point.errors) == (110, 0.4, 25)
    assert 80 < point.p95_ms < 125


def test_a_quiet_side_has_points_at_zero_and_groups_add_up() -> None:
    recorder, history = Recorder(), History(10)
    history.add(0, _copy(recorder))
    recorder.meter("a#index", "a", "python").add(200, 0.1, False, 0, 0)
    for _ in range(3):
        recorder.meter("b#index", "b", "python").add(500, 0.2, False, 0, 0)
    history.add(10, _copy(recorder))
    history.add(20, _copy(recorder))
    busy, quiet = history.of(["a", "b"], "python")
    assert (busy.rate, busy.errors) == (0.4, 75)
    assert busy.p95_ms > 150
    assert (quiet.rate, quiet.errors, quiet.p95_ms) == (0, 0, 0)
    assert history.of(["a"], "legacy") == []


def test_it_forgets() -> None:
    recorder, history = Recorder(), History(10)
    recorder.meter("a#index", "a", "python")
    for step in range(KEPT + 50):
        history.add(10.0 * step, _copy(recorder))
    assert len(history.of(["a"], "python")) == KEPT


def _copy(recorder: Recorder) -> Snapshot:
    """As it comes from a worker: a copy."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(recorder.snapshot({})), type=Snapshot)
