# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is a request of the new side the slower of two? Mann–Whitney, route by route, with the effect as its measure.

The measure is the chance that, of two requests of one route, the new side's is the slower (50 % is even), averaged over
routes by how much they tell. It knows the middle of the distributions; `tail` knows their end.
"""

from __future__ import annotations

import math

from proxy.rollout.evidence import Evidence
from proxy.rollout.policy import ALPHA_FAIL, ALPHA_PASS, Policy
from proxy.rollout.statistics import mean_half_width, superiority
from proxy.rollout.verdict import Outcome, Verdict

_LEAST = 100
"""The bounds of a mean are asymptotic: below so many independent requests nothing fails."""


class Rank:
    """`rank`"""

    name = "rank"

    def judge(self, evidence: Evidence, policy: Policy) -> Verdict:
        tolerance = policy.gates.slower_points / 100
        new_effect, old_effect = evidence.traffic.new.latency_effect(), evidence.traffic.old.latency_effect()
        chance, variance, samples = _pooled(evidence, new_effect, old_effect)
        if not samples:
            return Verdict(
                self.name,
                Outcome.INCONCLUSIVE,
                "no route was asked of both sides",
                threshold=policy.gates.slower_points,
                unit="points",
                group=evidence.group,
            )
        independent = samples / new_effect
        value = chance - 0.5
        near = mean_half_width(variance * independent, independent, ALPHA_PASS)
        outcome = Outcome.PASS if value + near < tolerance else Outcome.INCONCLUSIVE
        if independent >= _LEAST and value > tolerance / 2:
            far = mean_half_width(variance * independent, independent, ALPHA_FAIL)
            if value - far > tolerance / 2:
                outcome = Outcome.FAIL
        return Verdict(
            self.name,
            outcome,
            f"the new side is the slower of two in {100 * chance:.1f} % (± {100 * near:.1f})",
            value=100 * value,
            low=100 * (value - near),
            high=100 * (value + near),
            threshold=policy.gates.slower_points,
            unit="points",
            group=evidence.group,
        )


def _pooled(evidence: Evidence, new_effect: float, old_effect: float) -> tuple[float, float, float]:
    """The chance over all routes, its variance, and how many requests of the new side it rests on."""
    weights = chance = variance = samples = 0.0
    for route, sample in evidence.traffic.new.routes.items():
        other = evidence.traffic.old.routes.get(route)
        if other is None or not sample.requests or not other.requests:
            continue
        found = superiority(sample.bins, other.bins)
        weight = sample.requests * other.requests / (sample.requests + other.requests)
        weights += weight
        samples += sample.requests
        chance += weight * found.chance
        variance += weight**2 * (found.from_new * new_effect + found.from_old * old_effect)
    return (chance / weights, variance / weights**2, samples) if weights else (0.5, math.inf, 0.0)
