# SPDX-License-Identifier: AGPL-3.0-or-later
"""Chance, without numpy: Poisson counts, latency histograms, users."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from proxy.telemetry.crowd import STRATA, Crowd
from proxy.telemetry.metrics import BOUNDS


def poisson(random: Random, mean: float) -> int:
    """A Poisson count."""
    if mean > 50:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        count += 1
    return count


def log_normal_bins(median: float, sigma: float) -> tuple[float, ...]:
    """The chance of each latency bin."""
    below = [0.5 * (1 + math.erf(math.log(bound / median) / (sigma * math.sqrt(2)))) for bound in BOUNDS]
    return tuple(b - a for a, b in zip([0.0, *below], [*below, 1.0], strict=True))


def slow_tail(bins: Sequence[float], share: float, bins_up: int) -> tuple[float, ...]:
    """The slowest `share` of a distribution, each so many bins slower."""
    moved = [0.0] * len(bins)
    left = share
    for at in range(len(bins) - 1, -1, -1):
        part = min(bins[at], left)
        left -= part
        moved[min(at + bins_up, len(bins) - 1)] += part
        moved[at] += bins[at] - part
    return tuple(moved)


@dataclass(frozen=True, slots=True)
class Stratum:
    """One random group of users: its part of the traffic, its error rate, its mean latency level beside the side's."""

    weight: float
    error_rate: float
    shift: float


@dataclass(frozen=True, slots=True)
class Population:
    """The users of one side: 64 strata, the side's latency bins, and how many users there are."""

    strata: tuple[Stratum, ...]
    bins: tuple[float, ...]
    users: int

    @property
    def weight(self) -> float:
        """Their part of the group's traffic."""
        return sum(stratum.weight for stratum in self.strata)


def alike(share: float, error_rate: float, bins: tuple[float, ...], users: int) -> Population:
    """Users who do not differ."""
    return Population(tuple(Stratum(share / STRATA, error_rate, 0.0) for _ in range(STRATA)), bins, users)


class Served:
    """What was counted of one side in an epoch."""

    def __init__(self) -> None:
        self.bins = [0.0] * (len(BOUNDS) + 1)
        self.crowd = Crowd("g", "s")

    def serve(self, random: Random, population: Population, requests: float) -> tuple[list[int], list[int]]:
        """One tick: `requests` of the whole group are expected. Requests and errors by stratum."""
        chances = population.bins
        weight = population.weight
        mean = sum(level * chance for level, chance in enumerate(chances))
        variance = sum(level**2 * chance for level, chance in enumerate(chances)) - mean**2
        asked, failed = [0] * STRATA, [0] * STRATA
        crowd = self.crowd
        for number, stratum in enumerate(population.strata):
            count = poisson(random, requests * stratum.weight)
            if not count:
                continue
            asked[number] = count
            failed[number] = min(count, poisson(random, count * stratum.error_rate))
            level = count * (mean + stratum.shift) + random.gauss(0, math.sqrt(count * variance))
            crowd.requests[number] += count
            crowd.errors[number] += failed[number]
            crowd.levels[number] += round(level)
            crowd.squares += round(count * (variance + (mean + stratum.shift) ** 2))
            if crowd.users < 400:
                self._meet(random, number, count, population.users)
        for at, chance in enumerate(chances):
            if chance > 1e-9:
                self.bins[at] += poisson(random, requests * weight * chance)
        return asked, failed

    def _meet(self, random: Random, stratum: int, requests: int, users: int) -> None:
        """Count who it was, by the same sketch that workers fill."""
        for _ in range(requests):
            person = Random(random.randrange(max(1, users)) * STRATA + stratum).getrandbits(64)
            rank = 51 - (person & (1 << 50) - 1).bit_length()
            place = person >> 56
            self.crowd.registers[place] = max(self.crowd.registers[place], rank)
