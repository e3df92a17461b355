# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lives of a service: what traffic it has, who uses it, what is wrong with its new side."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from loadtests.rollout.sampling import Population, Stratum, alike, log_normal_bins, slow_tail
from proxy.telemetry.crowd import STRATA

BASE_ERRORS = 0.001
BASE_DIFFERENCES = 0.0002
SLOWER = 1.3
_BIN = math.log(1.25)  # each latency bin is so much wider than the one before


@dataclass(frozen=True, slots=True)
class Life:
    """What happens. `rate`: requests a second of the group; `shape`: time → factor on it; `slow`: factor on all
    latencies of the new side, or on the slowest tenth alone (`tail`); `correlated`: users differ from each other.
    """

    rate: float = 30.0
    errors: float = BASE_ERRORS
    extra_errors: float = 0.0
    slow: float = 1.0
    tail: float = 1.0
    differences: float = BASE_DIFFERENCES
    sigma: float = 0.7
    users: int = 20_000
    correlated: bool = False
    shape: Callable[[float], float] = lambda _: 1.0

    def populations(self, share: float, seed: int) -> tuple[Population, Population]:
        """The users of the old and the new side at a share."""
        part = share / 100
        old_bins = log_normal_bins(0.05, self.sigma)
        new_bins = log_normal_bins(0.05 * self.slow, self.sigma)
        if self.tail > 1:
            new_bins = slow_tail(old_bins, 0.1, math.ceil(math.log(self.tail) / _BIN))
        bad = min(1.0, self.errors + self.extra_errors)
        if self.correlated:
            old, new = _differing(self, part, seed)
            return (
                _population(old, self.errors, 0.0, old_bins),
                _population(new, bad, 0.0, new_bins),
            )
        return (
            alike(1 - part, self.errors, old_bins, round(self.users * (1 - part) / STRATA)),
            alike(part, bad, new_bins, max(1, round(self.users * part / STRATA))),
        )


BAD: dict[str, Life] = {
    "errors +0.5 points": Life(extra_errors=0.005),
    "all 30 % slower": Life(slow=SLOWER),
    "p95 30 % slower": Life(tail=SLOWER),
    "0.2 % differ": Life(differences=0.002),
}
"""The faults of the acceptance, each alone."""


def silent(_: float) -> float:
    """No traffic."""
    return 0.0


def spiky(now: float) -> float:
    """Minutes of silence, then three times as much; nights that sleep."""
    burst = 3.0 if int(now // 300) % 3 == 0 else 0.0
    return burst * (1.0 if int(now // 3600) % 24 < 16 else 0.1)


@dataclass(frozen=True, slots=True)
class _Person:
    weight: float
    error_factor: float
    shift: float


def _differing(life: Life, part: float, seed: int) -> tuple[list[_Person], list[_Person]]:
    """Few users, some of whom ask a hundred times as much as others; errors and slow answers are theirs."""
    random = Random(seed)
    people = []
    for _ in range(2_000):
        heavy = math.exp(random.gauss(0, 1.2))
        clumsy = random.random() < 0.03
        people.append(_Person(heavy, 30.0 if clumsy else 0.1, random.gauss(0, 1.5)))
    total = sum(person.weight for person in people)
    mean = sum(person.weight * person.error_factor for person in people) / total
    people = [_Person(one.weight / total, one.error_factor / mean, one.shift) for one in people]
    moved = round(len(people) * part)
    return people[moved:], people[:moved]


def _population(
    people: list[_Person], error_rate: float, shift: float, bins: tuple[float, ...]
) -> Population:
    groups: list[list[_Person]] = [[] for _ in range(STRATA)]
    for number, person in enumerate(people):
        groups[number * 37 % STRATA].append(person)
    strata = []
    for group in groups:
        weight = sum(one.weight for one in group)
        share = weight or 1.0
        strata.append(
            Stratum(
                weight,
                min(1.0, error_rate * sum(one.weight * one.error_factor for one in group) / share),
                shift + sum(one.weight * one.shift for one in group) / share,
            )
        )
    return Population(tuple(strata), _spread(people, bins), max(1, len(people) // STRATA))


def _spread(people: list[_Person], bins: tuple[float, ...]) -> tuple[float, ...]:
    """The bins of a side whose users are differently slow."""
    total = sum(one.weight for one in people)
    if not total:
        return bins
    by_shift: dict[int, float] = {}
    for one in people:
        by_shift[round(one.shift)] = by_shift.get(round(one.shift), 0.0) + one.weight / total
    mixed = [0.0] * len(bins)
    for shift, weight in by_shift.items():
        for at, chance in enumerate(bins):
            mixed[min(max(at + shift, 0), len(bins) - 1)] += weight * chance
    return tuple(mixed)
