# SPDX-License-Identifier: AGPL-3.0-or-later
"""The kinds of work. Each measures one subject once and answers figures (see `compare` for their names)."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import ClassVar, Final

from loadtests.bench import generator, transfer, tunnel, workload, wrk
from loadtests.bench.compare import REFERENCE, Figures
from loadtests.bench.processes import cpu_seconds, rss_bytes
from loadtests.bench.stats import percentile
from loadtests.bench.subjects import EdgeSubject, Recipe, Subject

_CHECKED_REQUESTS: Final = 200
_SETTLE_SECONDS: Final = 2.5  # the edge sweeps once a second
_TRANSFERS: Final = 2


@dataclass
class Setting:
    """What a run gives its cases: how long to measure, wrk if there is one, a folder."""

    seconds: float
    idle_connections: int
    wrk: str | None
    folder: Path
    _sets: dict[tuple[str, int], list[bytes]] = field(default_factory=dict)

    def requests(self, size: str, uses: int = 1) -> list[bytes]:
        """The requests for bodies of `size`, made once."""
        if (size, uses) not in self._sets:
            self._sets[size, uses] = workload.requests(size, uses=uses)
        return self._sets[size, uses]

    def requests_file(self, size: str, uses: int) -> Path:
        """The same as a file for wrk."""
        file = self.folder / f"requests-{size}-{uses}"
        if not file.exists():
            wrk.write_requests(file, self.requests(size, uses))
        return file


class Case:
    """One kind of work. `needs_python_origin`: nginx cannot play that backend. `fresh`: every measurement is of a
    newly started subject. `with_direct`: the origin itself is measured too. `only_edge`: others cannot do it."""

    needs_python_origin: ClassVar[bool] = False
    fresh: ClassVar[bool] = False
    with_direct: ClassVar[bool] = False
    only_edge: ClassVar[bool] = False
    reference: ClassVar[str] = REFERENCE
    """The subject that the others' ratios are to."""
    own_recipes: ClassVar[Mapping[str, Recipe] | None] = None
    """Where a case is about subjects of its own."""

    def __init__(self, name: str, setting: Setting) -> None:
        self.name = name
        self.setting = setting
        self._sent: dict[str, int] = {}

    def position(self, subject: Subject) -> int:
        """How many requests the subject was sent. Each round goes on from there: cookies come again as late as
        possible, so that a memory of them helps nobody more than it would in real life."""
        return self._sent.get(subject.name, 0)

    def upcoming(self, subject: Subject, size: str = "2k", uses: int = 1) -> list[bytes]:
        """The requests, beginning with the subject's next."""
        requests = self.setting.requests(size, uses)
        first = self.position(subject) % len(requests)
        return requests[first:] + requests[:first]

    def sent(self, subject: Subject, count: int) -> None:
        """So many more."""
        self._sent[subject.name] = self.position(subject) + count

    def prepare(self, subject: Subject) -> None:
        """Once for each subject, before the rounds: warm it up and check that it answers what the origin does."""

    def measure(self, subject: Subject, number: int) -> Figures:
        """Round `number` of a subject. Raises `LoadError` or `OSError` where something went wrong."""
        raise NotImplementedError


class KeepAlive(Case):
    """As many requests as go through, on connections that stay open."""

    def __init__(self, name: str, setting: Setting, size: str, connections: int, uses: int = 1) -> None:
        super().__init__(name, setting)
        self._size = size
        self._connections = connections
        self._uses = uses

    @cached_property
    def _body(self) -> bytes:
        return workload.body(self._size)

    def prepare(self, subject: Subject) -> None:
        requests = self.upcoming(subject, self._size, self._uses)
        generator.closed_loop(subject.port, self._body, requests, connections=4, count=_CHECKED_REQUESTS)
        self.sent(subject, _CHECKED_REQUESTS)

    def measure(self, subject: Subject, number: int) -> Figures:
        before = cpu_seconds(subject.pids)
        requests, seconds = self._load(subject)
        used = cpu_seconds(subject.pids) - before
        self.sent(subject, requests)
        return {
            "throughput_rps": requests / seconds,
            "cpu_us_per_request": used / requests * 1e6,
            "core_busy": used / seconds,
        }

    def _load(self, subject: Subject) -> tuple[int, float]:
        """How many requests were answered in how many seconds."""
        if self.setting.wrk is None:
            requests = self.upcoming(subject, self._size, self._uses)
            started = time.perf_counter()
            latencies = generator.closed_loop(
                subject.port,
                self._body,
                requests,
                connections=self._connections,
                seconds=self.setting.seconds,
            )
            return len(latencies), time.perf_counter() - started
        outcome = wrk.run(
            self.setting.wrk,
            subject.port,
            self.setting.requests_file(self._size, self._uses),
            connections=self._connections,
            seconds=max(1, round(self.setting.seconds)),
            first=self.position(subject),
        )
        wrk.check(outcome, len(self._body), self._connections)
        return outcome.requests, outcome.seconds


class Latency(Case):
    """How long answers take, over the same without a proxy."""

    with_direct = True

    def prepare(self, subject: Subject) -> None:
        requests = self.upcoming(subject)
        generator.closed_loop(
            subject.port, workload.body("2k"), requests, connections=4, count=_CHECKED_REQUESTS
        )
        self.sent(subject, _CHECKED_REQUESTS)

    def _figures(self, subject: Subject, latencies: list[float]) -> Figures:
        self.sent(subject, len(latencies))
        ordered = sorted(latencies)
        return {
            "p50_us": percentile(ordered, 0.5) * 1e6,
            "p99_us": percentile(ordered, 0.99) * 1e6,
            "max_us": ordered[-1] * 1e6,
        }


class OneConnection(Latency):
    """One request after the other."""

    def measure(self, subject: Subject, number: int) -> Figures:
        latencies = generator.closed_loop(
            subject.port,
            workload.body("2k"),
            self.upcoming(subject),
            connections=1,
            seconds=self.setting.seconds,
        )
        return self._figures(subject, latencies)


class OpenLoop(Latency):
    """Requests at moments drawn beforehand, at a moderate rate that is the same for all."""

    def __init__(self, name: str, setting: Setting, per_second: float, size: str = "2k") -> None:
        super().__init__(name, setting)
        self._per_second = per_second
        self._size = size

    def measure(self, subject: Subject, number: int) -> Figures:
        before = cpu_seconds(subject.pids)
        latencies = generator.open_loop(
            subject.port,
            workload.body(self._size),
            self.upcoming(subject, self._size),
            connections=32,
            per_second=self._per_second,
            seconds=self.setting.seconds,
            seed=number,
        )
        figures = self._figures(subject, latencies)
        if subject.pids:
            figures["cpu_us_per_request"] = (cpu_seconds(subject.pids) - before) / len(latencies) * 1e6
        return figures


class Disturbed(OpenLoop):
    """The open loop while metrics are read ten times a second and a new configuration comes every second."""

    with_direct = False
    only_edge = True

    def measure(self, subject: Subject, number: int) -> Figures:
        if not isinstance(subject, EdgeSubject):
            raise TypeError("only an edge has an admin port")
        with _pestered(subject):
            figures = super().measure(subject, number)
        return {**figures, "longest_install_ms": subject.longest_install_ms()}


@contextmanager
def _pestered(subject: EdgeSubject) -> Iterator[None]:
    command = [sys.executable, "-m", "loadtests.bench.pester", subject.admin_url, str(subject.routing)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as child:
        try:
            yield
        finally:
            child.terminate()


class Transfer(Case):
    """A body of 100 MB, a few times; a request's share of it does not count."""

    needs_python_origin = True

    def __init__(self, name: str, setting: Setting, move: Callable[[int, str], None]) -> None:
        super().__init__(name, setting)
        self._move = move

    def prepare(self, subject: Subject) -> None:
        self._move(subject.port, _COOKIE)

    def measure(self, subject: Subject, number: int) -> Figures:
        before = cpu_seconds(subject.pids)
        for _ in range(_TRANSFERS):
            self._move(subject.port, _COOKIE)
        used = cpu_seconds(subject.pids) - before
        return {"cpu_ms": used / _TRANSFERS * 1e3, "rss_mb": rss_bytes(subject.pids) / 1e6}


class WebSockets(Case):
    """Messages of 200 bytes there and back, at the same rate for all."""

    needs_python_origin = True

    def __init__(self, name: str, setting: Setting, connections: int, per_second: float) -> None:
        super().__init__(name, setting)
        self._connections = connections
        self._per_second = per_second

    def measure(self, subject: Subject, number: int) -> Figures:
        with tunnel.Tunnels(subject.port, self._connections, _COOKIE) as tunnels:
            before = cpu_seconds(subject.pids)
            talk = tunnels.talk(self._per_second, self.setting.seconds)
            used = cpu_seconds(subject.pids) - before
        if talk.errors:
            raise generator.LoadError("; ".join(talk.errors))
        return {"cpu_us_per_message": used / talk.messages * 1e6}


class Idle(Case):
    """Memory of connections that were used once and now say nothing."""

    fresh = True

    def prepare(self, subject: Subject) -> None:
        requests = self.setting.requests("2k")
        # What a process takes for its first connections is not theirs; few, for what they leave free is used again.
        generator.closed_loop(subject.port, workload.body("2k"), requests, connections=10, count=1000)

    def measure(self, subject: Subject, number: int) -> Figures:
        time.sleep(_SETTLE_SECONDS)
        before = rss_bytes(subject.pids)
        count = self.setting.idle_connections
        # All with one cookie: the sessions that an edge remembers are no connections.
        requests = self.setting.requests("2k")[:1]
        with generator.IdleConnections(subject.port, workload.body("2k"), requests, count) as idle:
            time.sleep(_SETTLE_SECONDS)
            grown = rss_bytes(subject.pids) - before
            if closed := idle.closed():
                raise generator.LoadError(f"{closed} of {count} idle connections were closed")
        return {"rss_per_idle_conn_bytes": grown / count}


_COOKIE: Final = next(workload.session_cookies(Random(4), 1))
"""Where one request is as long as thousands, one person sends them all."""


def all_cases(setting: Setting) -> list[Case]:
    """Every case, in the order of the result."""
    return [
        KeepAlive("2k keep-alive 32", setting, "2k", 32),
        KeepAlive("2k keep-alive 128", setting, "2k", 128),
        KeepAlive("35k keep-alive 32", setting, "35k", 32),
        # A recorded page sends 12 requests, most of them before the first answer can set another cookie.
        KeepAlive("2k keep-alive 32, 4 requests per cookie", setting, "2k", 32, uses=4),
        OneConnection("one connection", setting),
        OpenLoop("open loop 1000/s", setting, 1000.0),
        Disturbed("open loop 1000/s, scraped and reloaded", setting, 1000.0),
        Transfer("100 MB download", setting, transfer.download),
        Transfer("100 MB upload", setting, transfer.upload),
        WebSockets("WebSocket 3000/s", setting, 32, 3000.0),
        Idle("idle connections", setting),
    ]
