# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is known about one group at one share and one build of the new side. Pure, mergeable, bounded.

    replicas ─ Traffic ─→ merged ─┐
    comparisons of this build ────┼─→ Evidence ─→ gates
    proofs of this build ─────────┘

`Traffic` holds only requests that a user's bucket placed: two samples of one population. Adding up two replicas' is
exact, but for users, whose number is estimated (`telemetry.crowd`). An *epoch* is the time at one share with one build;
with the next epoch evidence begins at nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from proxy.rollout.statistics import Count, design_effect
from proxy.telemetry.crowd import STRATA, Crowd
from proxy.telemetry.metrics import BOUNDS

BINS: Final = len(BOUNDS) + 1


class Sample(msgspec.Struct):
    """Requests of one route on one side. `bins` counts latencies by `telemetry.metrics.BOUNDS`."""

    requests: float = 0
    errors: float = 0
    bins: list[float] = msgspec.field(default_factory=lambda: [0.0] * BINS)

    def merge(self, other: Sample) -> None:
        """Add `other`'s."""
        self.requests += other.requests
        self.errors += other.errors
        self.bins = [a + b for a, b in zip(self.bins, other.bins, strict=True)]


class Recent(msgspec.Struct):
    """The last moments, for the hard limit: requests and failures by random group of users (see `Crowd`).

    `fallen`: requests that were drawn for this side and could not reach it.
    """

    requests: list[float] = msgspec.field(default_factory=lambda: [0.0] * STRATA)
    errors: list[float] = msgspec.field(default_factory=lambda: [0.0] * STRATA)
    fallen: float = 0

    def merge(self, other: Recent) -> None:
        """Add `other`'s."""
        self.requests = [a + b for a, b in zip(self.requests, other.requests, strict=True)]
        self.errors = [a + b for a, b in zip(self.errors, other.errors, strict=True)]
        self.fallen += other.fallen


class Side(msgspec.Struct):
    """One side's requests. `growth` is above 1 only in forecasts: so many times as many requests."""

    routes: dict[str, Sample] = msgspec.field(default_factory=dict)
    crowd: Crowd = msgspec.field(default_factory=lambda: Crowd("", ""))
    recent: Recent = msgspec.field(default_factory=Recent)
    growth: float = 1.0

    def merge(self, other: Side) -> None:
        """Add `other`'s."""
        for route, sample in other.routes.items():
            self.routes.setdefault(route, Sample()).merge(sample)
        self.crowd.merge(other.crowd)
        self.recent.merge(other.recent)

    @property
    def requests(self) -> float:
        """How many."""
        return sum(sample.requests for sample in self.routes.values())

    @property
    def errors(self) -> Count:
        """How many of them failed."""
        return Count(sum(sample.errors for sample in self.routes.values()), self.requests)

    @property
    def users(self) -> float:
        """By about how many users."""
        return self.crowd.users * self.growth

    @property
    def failing_strata(self) -> int:
        """In how many of the 64 random groups of users something failed."""
        return sum(1 for errors in self.crowd.errors if errors)

    def error_effect(self) -> float:
        """The design effect of errors."""
        crowd = self.crowd
        total = sum(crowd.requests)
        rate = sum(crowd.errors) / total if total else 0.0
        return design_effect(crowd.requests, crowd.errors, rate * (1 - rate))

    def latency_effect(self) -> float:
        """The design effect of latencies (of their bins' numbers, which go by their logarithm)."""
        crowd = self.crowd
        total = sum(crowd.requests)
        if not total:
            return 1.0
        mean = sum(crowd.levels) / total
        return design_effect(crowd.requests, crowd.levels, crowd.squares / total - mean**2)

    def grown(self, factor: float) -> Side:
        """What it will be after so many times as many requests, if nothing changes."""
        routes = {
            route: Sample(sample.requests * factor, sample.errors * factor, [n * factor for n in sample.bins])
            for route, sample in self.routes.items()
        }
        return Side(routes, self.crowd, self.recent, factor)


class Traffic(msgspec.Struct):
    """What one replica, or all, served of a group in one epoch. `load` maps a backend's name to the share of its
    connections in use, in percent; above 100 where requests wait."""

    old: Side = msgspec.field(default_factory=Side)
    new: Side = msgspec.field(default_factory=Side)
    load: dict[str, float] = msgspec.field(default_factory=dict)

    def merge(self, other: Traffic) -> None:
        """Add another replica's."""
        self.old.merge(other.old)
        self.new.merge(other.new)
        for backend, busy in other.load.items():
            self.load[backend] = max(busy, self.load.get(backend, 0.0))


class Covered(msgspec.Struct, frozen=True):
    """One kind of coverage (`query`, `status`, `role`): what traffic shows of it, and what of that was compared."""

    seen: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()


class Comparisons(msgspec.Struct, frozen=True):
    """What comparing the answers of one build showed for a group. Not comparable pairs are in neither count."""

    compared: int = 0
    differing: int = 0
    not_comparable: int = 0
    open_errors: int = 0
    """Findings of severity ERR that nobody approved."""
    coverage: Mapping[str, Covered] = {}


class Proof(msgspec.Struct, frozen=True):
    """A run of `contracts verify-writes` or `contracts replay` against one build. `at`: seconds since 1970."""

    kind: str
    build: str
    green: bool
    at: float
    cases: int = 0
    by: str = ""


class Evidence(msgspec.Struct):
    """All that gates look at, for one group. `seconds`: how long the epoch has lasted."""

    group: str
    build: str = ""
    seconds: float = 0.0
    now: float = 0.0
    traffic: Traffic = msgspec.field(default_factory=Traffic)
    comparisons: Comparisons | None = None
    proofs: tuple[Proof, ...] = ()
    repeatable: bool = True

    def grown(self, factor: float) -> Evidence:
        """What it will be after so many times as long, if traffic and rates stay what they are."""
        traffic = Traffic(self.traffic.old.grown(factor), self.traffic.new.grown(factor), self.traffic.load)
        seen = self.comparisons
        if seen is not None:
            seen = msgspec.structs.replace(
                seen, compared=round(seen.compared * factor), differing=round(seen.differing * factor)
            )
        return msgspec.structs.replace(self, seconds=self.seconds * factor, traffic=traffic, comparisons=seen)


def merged(parts: Iterable[Traffic]) -> Traffic:
    """The sum over replicas. The parts are left as they are."""
    whole = Traffic()
    for part in parts:
        whole.merge(part)
    return whole
