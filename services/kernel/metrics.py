# SPDX-License-Identifier: AGPL-3.0-or-later
"""Counters, gauges and histograms of one process, and their sum over several.

A `Sample` set is plain data, so that a parent can add up its workers' and write Prometheus' text format.
Labels are routes' names, statuses and error codes: bounded, and nothing that people wrote.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of durations, in seconds."""

KINDS = {
    "banyan_services_requests_total": ("counter", "Requests answered, by route and status."),
    "banyan_services_errors_total": ("counter", "Requests that ended in an error, by its code."),
    "banyan_services_queries_total": ("counter", "SQL statements run, by route."),
    "banyan_services_request_duration_seconds": ("histogram", "Time until the answer was written, by route."),
    "banyan_services_database_connections": ("gauge", "Connections to PostgreSQL, by what they do."),
    "banyan_services_workers": ("gauge", "Processes that answer requests."),
    "banyan_jobs_total": ("counter", "Tries of jobs, by kind and outcome."),
    "banyan_jobs": ("gauge", "Jobs that are there, by kind and state."),
    "banyan_jobs_waiting_seconds": ("gauge", "How long the longest overdue job of a kind has waited."),
    "banyan_outbox_rows": ("gauge", "Messages for Redis that were not told yet."),
    "banyan_outbox_waiting_seconds": ("gauge", "How long the oldest of them has waited."),
}
"""Every metric: its type and what it says."""

Series = dict[str, float]
"""Sample name with labels, as Prometheus writes it → value."""


def series(name: str, labels: Mapping[str, str]) -> str:
    """`name{label="value",…}`."""
    if not labels:
        return name
    pairs = (f'{label}="{_escape(value)}"' for label, value in labels.items())
    return f"{name}{{{','.join(pairs)}}}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@dataclass(slots=True)
class _OfRoute:
    """What was counted of one route. Names are made when somebody asks: that costs more than counting."""

    statuses: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    queries: float = 0.0
    seconds: float = 0.0
    within: list[float] = field(default_factory=lambda: [0.0] * (len(BUCKETS) + 1))
    """How many took so long, by bucket and not by those below."""

    def samples(self, route: str) -> Iterator[tuple[str, float]]:
        """By name."""
        for status, number in self.statuses.items():
            labels = {"route": route, "status": str(status)}
            yield series("banyan_services_requests_total", labels), number
        yield series("banyan_services_queries_total", {"route": route}), self.queries
        duration = "banyan_services_request_duration_seconds"
        bounds = (*map(str, BUCKETS), "+Inf")
        for bound, number in zip(bounds, accumulate(self.within), strict=True):
            yield series(f"{duration}_bucket", {"route": route, "le": bound}), number
        yield series(f"{duration}_sum", {"route": route}), self.seconds
        yield series(f"{duration}_count", {"route": route}), sum(self.within)


class Metrics:
    """What one process counted."""

    def __init__(self) -> None:
        """Everything at zero."""
        self._routes: defaultdict[str, _OfRoute] = defaultdict(_OfRoute)
        self._errors: defaultdict[str, float] = defaultdict(float)

    def answered(self, route: str, status: int, seconds: float, queries: int) -> None:
        """One request is done."""
        of_route = self._routes[route]
        of_route.statuses[status] += 1
        of_route.queries += queries
        of_route.seconds += seconds
        of_route.within[bisect_left(BUCKETS, seconds)] += 1

    def failed(self, code: str) -> None:
        """A request ended in the error `code`."""
        self._errors[code] += 1

    def samples(self, connections: Mapping[str, int]) -> Series:
        """Everything so far, and the pool's `connections` by what they do."""
        samples: Series = {}
        for route, of_route in self._routes.items():
            samples.update(of_route.samples(route))
        for code, number in self._errors.items():
            samples[series("banyan_services_errors_total", {"code": code})] = number
        for state, number in connections.items():
            samples[series("banyan_services_database_connections", {"state": state})] = number
        samples["banyan_services_workers"] = 1
        return samples


def total(parts: Iterable[Series]) -> Series:
    """The sum of several processes' samples."""
    summed: Series = {}
    for part in parts:
        for name, value in part.items():
            summed[name] = summed.get(name, 0) + value
    return summed


def exposition(samples: Series) -> str:
    """Prometheus' text format, every metric with its type and help."""
    lines: list[str] = []
    for metric, (kind, says) in KINDS.items():
        lines += [f"# HELP {metric} {says}", f"# TYPE {metric} {kind}"]
        names = {metric} if kind != "histogram" else {f"{metric}_bucket", f"{metric}_sum", f"{metric}_count"}
        lines += [f"{name} {value}" for name, value in samples.items() if name.partition("{")[0] in names]
    return "\n".join(lines) + "\n"
