# SPDX-License-Identifier: AGPL-3.0-or-later
"""What comparing costs users: the same edge without it, with it, and with a new side that never answers.

Each round measures the three in turn at 600 requests a second, each answer 35 KB, every request repeated and compared
in a process of its own on the edge's own core. Ratios are to the edge without comparing, in the same round. The CPU is
the worker's; what the comparing process takes is shown apart.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import yaml

from loadtests.bench import generator, workload
from loadtests.bench.cases import OpenLoop, Setting
from loadtests.bench.compare import Figures
from loadtests.bench.configs import Ports
from loadtests.bench.processes import Child, children, command_of, cpu_seconds, rss_bytes
from loadtests.bench.subjects import (
    EdgeSubject,
    Recipe,
    Subject,
    counters,
    get,
    start_edge,
    start_nginx_origin,
    start_python_origin,
)
from proxy.config.load import load
from proxy.experiment.safety import other_side
from proxy.routing.compile import compile_table
from proxy.routing.table import Table

PER_SECOND: Final = 600.0
OFF: Final = "edge, not comparing"
ON: Final = "edge, comparing all"
HUNG: Final = "edge, comparing all, new side hung"
_SIZE: Final = "35k"
_WARM: Final = 300


def write_routing(folder: Path, *, percent: float) -> Path:
    """The shipped routing with all shares at 0 and every read compared at `percent`."""
    file = workload.write_routing(folder)
    routing: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    for backend in routing["backends"].values():
        backend["shadow"] = {"rate": "100000/s", "concurrency": 64}
    for group in routing["groups"].values():
        group["percent"] = 0
        if "shadow" in group:
            group["shadow"] = percent
    routing["shadowing"] = {"noise": "0/s"}
    file.write_text(yaml.safe_dump(routing, sort_keys=False), "utf-8")
    return file


def recipes() -> dict[str, Recipe]:
    """The three, by name."""
    return {OFF: _recipe(0, hung=False), ON: _recipe(100, hung=False), HUNG: _recipe(100, hung=True)}


def _recipe(percent: float, *, hung: bool) -> Recipe:
    def start(folder: Path, origin: Ports) -> Subject:
        routing = write_routing(folder, percent=percent)
        if hung:
            silent = socket.create_server(("127.0.0.1", 0), backlog=1024)
            edge = start_edge(
                "edge", folder, Ports(origin.legacy, silent.getsockname()[1]), routing, pure=None
            )
            return _Comparing(edge, silent.close)
        new, port = _start_new_side(folder)
        edge = start_edge("edge", folder, Ports(origin.legacy, port), routing, pure=None)
        return _Comparing(edge, new.stop)

    return start


def _start_new_side(folder: Path) -> tuple[Child, int]:
    """A side that is asked only to compare. It has machines of its own; here it takes what the client and the old side
    leave of their core, so that what it costs is not taken for what users wait for."""
    own = folder / "new-side"
    own.mkdir()
    nginx = shutil.which("nginx")
    child, ports = start_python_origin(own) if nginx is None else start_nginx_origin(nginx, own)
    for pid in (child.pid, *children(child.pid)):
        os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
    return child, ports.python


class _Comparing(EdgeSubject):
    """An edge, and how to end its new side."""

    def __init__(self, edge: EdgeSubject, end_new_side: Callable[[], None]) -> None:
        self.__dict__.update(edge.__dict__)
        self._end_new_side = end_new_side

    def problems(self) -> list[str]:
        """All its shares are 0, so there is nothing to be halved."""
        return []

    def stop(self) -> None:
        """End both."""
        super().stop()
        self._end_new_side()


class Shadow(OpenLoop):
    """The open loop of 35 KB answers, all of whose requests may be compared."""

    with_direct = False
    only_edge = True
    reference = OFF
    own_recipes = recipes()

    def __init__(self, name: str, setting: Setting) -> None:
        super().__init__(name, setting, PER_SECOND, _SIZE)

    @cached_property
    def _table(self) -> Table:
        file = write_routing(self.setting.folder, percent=100)
        loaded = load(file, {}, require_variables=False)
        if loaded.config is None:
            raise generator.LoadError(f"the routing is no good: {loaded.errors}")
        return compile_table(loaded.config, 1)

    @cached_property
    def _requests(self) -> list[bytes]:
        return [one for one in self.setting.requests(_SIZE) if self._is_compared(one)]

    def upcoming(self, subject: Subject, size: str = _SIZE, uses: int = 1) -> list[bytes]:
        """Only what is compared at all."""
        first = self.position(subject) % len(self._requests)
        return self._requests[first:] + self._requests[:first]

    def _is_compared(self, request: bytes) -> bool:
        table = self._table
        path = request.split(b" ", 2)[1].partition(b"?")[0]
        route = table.match(b"GET", path)
        return route is not None and other_side(table, route, b"GET", table.legacy) is not None

    def prepare(self, subject: Subject) -> None:
        """Let sessions be known, connections stand, the comparing process run."""
        generator.closed_loop(
            subject.port, workload.body(_SIZE), self.upcoming(subject), connections=4, count=_WARM
        )
        self.sent(subject, _WARM)

    def measure(self, subject: Subject, number: int) -> Figures:
        """One open loop, with what was compared in it."""
        if not isinstance(subject, EdgeSubject):
            raise TypeError("only an edge compares")
        before = _counts(subject)
        mirrors = _mirrors(subject)
        used = cpu_seconds(mirrors)
        figures = super().measure(subject, number)
        after = _counts(subject)
        asked = self._per_second * self.setting.seconds
        figures["mirror_cpu_us"] = (cpu_seconds(mirrors) - used) / asked * 1e6
        for name, value in after.items():
            figures[f"{name}_share"] = (value - before[name]) / asked
        figures["rss_mb"] = rss_bytes([*subject.pids, *mirrors]) / 1e6
        return figures


def _mirrors(subject: EdgeSubject) -> list[int]:
    return [pid for pid in children(subject.parent) if "proxy.app.mirror" in command_of(pid)]


def _counts(subject: EdgeSubject) -> dict[str, float]:
    found = counters(get(f"{subject.admin_url}/metrics").decode())
    names = {
        "lifted": "banyan_edge_shadow_lifted_total",
        "compared": "banyan_edge_shadow_outcomes_total",
        "dropped": "banyan_edge_shadow_dropped_total",
    }
    return {
        short: sum(value for series, value in found.items() if series.partition("{")[0] == name)
        for short, name in names.items()
    }


def compared_cases(setting: Setting) -> list[Shadow]:
    """The case, as others are listed in `cases`."""
    return [Shadow("shadow 600/s 35k", setting)]
