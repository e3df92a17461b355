# SPDX-License-Identifier: AGPL-3.0-or-later
"""From counts that only rise to an epoch's traffic."""

from __future__ import annotations

import msgspec

from proxy.rollout.phases import Phase
from proxy.rollout.served import Served
from proxy.rollout.state import State
from proxy.telemetry.metrics import Placing, Recorder, Snapshot, series
from tests.unit.proxy.rollout.replicas import unit

UNIT = unit()
MOST = {"python": 10, "legacy": 100}


class Worker:
    """Counts as a worker does, and sends copies."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.gauges: dict[str, float] = {}

    def serve(
        self, side: str, count: int, *, epoch: int = 1, status: int = 200, placing: Placing = "drawn"
    ) -> None:
        for number in range(count):
            at = self.recorder.meter("r", "u", side, placing).add(status, 0.02, False, 0, 0)
            if placing == "drawn":
                user = (number * 0x9E3779B97F4A7C15) % 2**64
                self.recorder.census("u", side, epoch).add(user, at, status >= 500)

    def told(self) -> Snapshot:
        return msgspec.msgpack.decode(
            msgspec.msgpack.encode(self.recorder.snapshot(self.gauges)), type=Snapshot
        )


def observe(served: Served, worker: Worker, now: float, epoch: int = 1) -> None:
    state = State("u", Phase.RAMPING, 1, epoch=epoch)
    served.observe(now, worker.told(), {"u": UNIT}, {"u": state}, MOST)


def test_an_epochs_traffic_is_what_came_since_its_beginning() -> None:
    worker, served = Worker(), Served()
    worker.serve("legacy", 100, epoch=0)
    observe(served, worker, 0)
    worker.serve("legacy", 50)
    worker.serve("python", 20)
    worker.serve("python", 4, status=500)
    observe(served, worker, 1)
    traffic = served.traffic(UNIT, 1)["u"]
    assert (traffic.old.requests, traffic.new.requests) == (50, 24)
    assert (traffic.new.errors.hits, traffic.new.errors.trials) == (4, 24)
    assert sum(traffic.new.routes["r"].bins) == 24
    assert round(traffic.new.users) in range(16, 25)
    assert served.traffic(UNIT, 2) == {}, "nothing of that epoch was seen"
    observe(served, worker, 2, epoch=2)
    assert served.traffic(UNIT, 2)["u"].new.requests == 0


def test_only_drawn_requests_count_and_fallen_ones_are_the_new_sides() -> None:
    worker, served = Worker(), Served()
    observe(served, worker, 0)
    worker.serve("legacy", 7, placing="kept")
    worker.serve("legacy", 30, placing="fallen")
    observe(served, worker, 1)
    traffic = served.traffic(UNIT, 1)["u"]
    assert traffic.old.requests == 0
    assert (traffic.new.recent.fallen, traffic.old.recent.fallen) == (30, 0)


def test_the_last_moments_are_those_of_the_window() -> None:
    worker, served = Worker(), Served()
    observe(served, worker, 0)
    worker.serve("python", 50, status=500)
    observe(served, worker, 1)
    assert sum(served.traffic(UNIT, 1)["u"].new.recent.errors) == 50
    for now in range(2, 70):
        observe(served, worker, now)
    assert sum(served.traffic(UNIT, 1)["u"].new.recent.errors) == 0


def test_where_users_are_not_told_apart_failures_count_as_everybodys() -> None:
    worker, served = Worker(), Served()
    observe(served, worker, 0)
    for _ in range(64):
        worker.recorder.meter("r", "u", "python", "drawn").add(503, 0.01, False, 0, 0)
    observe(served, worker, 1)
    recent = served.traffic(UNIT, 1)["u"].new.recent
    assert recent.errors == recent.requests == [1.0] * 64


def test_load_is_the_share_of_busy_connections() -> None:
    worker, served = Worker(), Served()
    for state, count in (("open", 9.0), ("idle", 2.0), ("waiting", 0.0)):
        worker.gauges[series("banyan_edge_backend_connections", backend="python", state=state)] = count
    worker.gauges[series("banyan_edge_backend_connections", backend="legacy", state="waiting")] = 1
    observe(served, worker, 0)
    assert served.traffic(UNIT, 1)["u"].load == {"python": 70.0, "legacy": 101.0}
