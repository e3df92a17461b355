# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is known about each endpoint, from any number of comparisons. Pure; times are seconds since 1970.

    Tally.take() → Batch ──→ Evidence.of(batch)                           in memory: a replay
                        └──→ Store.write … Store.evidence() → Evidence    in PostgreSQL: the edge

A `Batch` is what happened since the one before; adding batches up is what the store does. `Evidence` is the sum as
people and gates read it, endpoint by endpoint. Nothing in either is secret: samples are redacted before they get here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from proxy.experiment.noise import Noise
from proxy.experiment.observation import Headers
from proxy.experiment.outcome import Kind, Outcome, Severity, Why

SAMPLES = 5
"""How many samples of a finding are kept."""

HOUR = 3600


class Series(msgspec.Struct, frozen=True, order=True):
    """What comparisons are counted by. `served` is the side whose answer the user got, `build` the candidate's, `role`
    how the sender is known; each empty where there was none."""

    route: str
    group: str
    served: str
    build: str
    role: str
    outcome: Outcome
    why: Why | None = None


class Count(msgspec.Struct, frozen=True):
    """How often, in the hour that begins at `hour`."""

    series: Series
    hour: int
    times: int


class Sample(msgspec.Struct, frozen=True):
    """One time that a finding was seen, redacted: the request, and what each side had at `pointer`."""

    at: float
    request_id: str
    method: str
    target: str
    headers: Headers
    role: str
    pointer: str
    control: Any = None
    candidate: Any = None
    control_status: int = 0
    candidate_status: int = 0
    control_side: str = ""
    candidate_side: str = ""
    served: str = ""
    build: str = ""
    generation: int = 0


class Sighting(msgspec.Struct, frozen=True):
    """How often a finding was seen with one build of the candidate, in the hour that begins at `hour`."""

    build: str
    hour: int
    times: int


RANK = {Severity.ERR: 0, Severity.WARN: 1, Severity.INFO: 2}
"""The most serious first."""


class Found(msgspec.Struct, frozen=True):
    """A finding, each time it was seen taken together; as serious as it ever was. `samples`: the oldest first, at most
    `SAMPLES`."""

    fingerprint: str
    route: str
    group: str
    field: str
    kind: Kind
    severity: Severity
    first_seen: float
    last_seen: float
    sightings: tuple[Sighting, ...] = ()
    samples: tuple[Sample, ...] = ()

    @property
    def times(self) -> int:
        """How often it was seen."""
        return sum(sighting.times for sighting in self.sightings)


class Dimension(StrEnum):
    """What an endpoint's coverage is told in."""

    METHOD = "method"
    QUERY = "query"
    """The names of the query's parameters, sorted, joined by `&`; never a value."""
    STATUS = "status"
    """The control's."""
    ROLE = "role"


class Covered(msgspec.Struct, frozen=True):
    """A value of a dimension that was compared (`not_comparable` pairs cover nothing)."""

    route: str
    dimension: Dimension
    value: str
    first_seen: float
    last_seen: float
    times: int


class NoiseSeen(Noise, frozen=True):
    """Noise as it was known at `last_seen`."""

    last_seen: float


class Loss(StrEnum):
    """What of the evidence was not kept. Never silent: a report shows it."""

    COMPARISONS = "comparisons"
    """Counted nowhere: the store was away for longer than memory lasts."""
    FINDINGS = "findings"
    """A route had more different findings than are kept: sightings of those beyond."""
    COVERAGE = "coverage"
    """A route had more sets of query names than are kept."""


class Lost(msgspec.Struct, frozen=True):
    """How much was not kept, for a route (empty: unknown)."""

    route: str
    what: Loss
    times: int
    last_seen: float


class Batch(msgspec.Struct, frozen=True):
    """What a tally took in since it was last emptied. `id` is unique: a batch that is written twice counts once."""

    id: str
    counts: tuple[Count, ...] = ()
    findings: tuple[Found, ...] = ()
    coverage: tuple[Covered, ...] = ()
    noise: tuple[NoiseSeen, ...] = ()
    lost: tuple[Lost, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing happened."""
        return not (self.counts or self.findings or self.coverage or self.noise or self.lost)

    @property
    def comparisons(self) -> int:
        """How many comparisons it holds."""
        return sum(count.times for count in self.counts)


class Approval(msgspec.Struct, frozen=True):
    """Somebody accepts a finding. It carries across runs until it ends or is revoked."""

    fingerprint: str
    by: str
    reason: str
    at: float
    until: float | None = None

    def holds(self, now: float) -> bool:
        """Whether it counts at `now`."""
        return self.until is None or now < self.until


class Endpoint(msgspec.Struct, frozen=True):
    """Everything known about one route. Findings: the most serious first, then the most frequent."""

    route: str
    counts: tuple[Count, ...] = ()
    findings: tuple[Found, ...] = ()
    coverage: tuple[Covered, ...] = ()
    noise: tuple[NoiseSeen, ...] = ()
    lost: tuple[Lost, ...] = ()

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups it was compared in."""
        return tuple(sorted({count.series.group for count in self.counts if count.series.group}))

    @property
    def comparisons(self) -> int:
        """How many pairs came to an outcome, whichever."""
        return sum(count.times for count in self.counts)

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """How often each outcome; every outcome is there."""
        total = dict.fromkeys(Outcome, 0)
        for count in self.counts:
            total[count.series.outcome] += count.times
        return total

    @property
    def reasons(self) -> dict[Why, int]:
        """How often each reason not to compare; only those that occurred."""
        total: dict[Why, int] = {}
        for count in self.counts:
            if count.series.why is not None:
                total[count.series.why] = total.get(count.series.why, 0) + count.times
        return total

    def seen(self, dimension: Dimension) -> dict[str, int]:
        """The values of a dimension that were compared, with how often."""
        return {row.value: row.times for row in self.coverage if row.dimension is dimension}


class Evidence(msgspec.Struct, frozen=True):
    """What is known, by endpoint in order of their names. `lost` is what belongs to no route."""

    endpoints: tuple[Endpoint, ...] = ()
    approvals: tuple[Approval, ...] = ()
    lost: tuple[Lost, ...] = ()
    unread: int = 0
    """Findings that the store has besides: less serious or less frequent than those here."""

    @classmethod
    def of(cls, batch: Batch, approvals: Iterable[Approval] = (), *, unread: int = 0) -> Evidence:
        """The evidence of one batch."""
        by_route = {
            name: _grouped(getattr(batch, name)) for name in ("findings", "coverage", "noise", "lost")
        }
        counts = _grouped(batch.counts)
        routes = sorted({*counts, *itertools.chain.from_iterable(by_route.values())} - {""})
        endpoints = tuple(
            Endpoint(
                route,
                tuple(counts.get(route, ())),
                tuple(sorted(by_route["findings"].get(route, ()), key=_weight)),
                tuple(
                    sorted(by_route["coverage"].get(route, ()), key=lambda row: (row.dimension, row.value))
                ),
                tuple(
                    sorted(by_route["noise"].get(route, ()), key=lambda row: (row.field, row.kind, row.sort))
                ),
                tuple(by_route["lost"].get(route, ())),
            )
            for route in routes
        )
        return cls(endpoints, tuple(approvals), tuple(by_route["lost"].get("", ())), unread)

    @property
    def comparisons(self) -> int:
        """How many pairs came to an outcome, whichever."""
        return sum(endpoint.comparisons for endpoint in self.endpoints)

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """How often each outcome, over all endpoints."""
        total = dict.fromkeys(Outcome, 0)
        for endpoint in self.endpoints:
            for outcome, times in endpoint.outcomes.items():
                total[outcome] += times
        return total

    def only(self, routes: str) -> Evidence:
        """Of the routes whose names fit a pattern such as `discussions#*`."""
        return msgspec.structs.replace(
            self, endpoints=tuple(one for one in self.endpoints if fnmatchcase(one.route, routes))
        )


def _weight(found: Found) -> tuple[int, int, str]:
    return RANK[found.severity], -found.times, found.fingerprint


def _grouped(rows: Iterable[Any]) -> dict[str, list[Any]]:
    """Rows by their route, in order."""
    grouped: dict[str, list[Any]] = {}
    for row in rows:
        route = row.series.route if isinstance(row, Count) else row.route
        grouped.setdefault(route, []).append(row)
    return grouped
