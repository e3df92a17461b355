# SPDX-License-Identifier: AGPL-3.0-or-later
"""The slow end: more requests of the new side than of the old beyond the old side's p95 of their route?

By route, since a slow tail of one route hides among fast others, and from a rank test anyway. The p95 is taken at the
upper bound of its bin, so that both sides are counted exactly.
"""

from __future__ import annotations

from proxy.rollout.evidence import Evidence, Sample
from proxy.rollout.policy import ALPHA_FAIL, ALPHA_PASS, Policy
from proxy.rollout.statistics import Count, difference_bounds
from proxy.rollout.verdict import Outcome, Verdict

_P95 = 0.95


class Tail:
    """`tail`"""

    name = "tail"

    def judge(self, evidence: Evidence, policy: Policy) -> Verdict:
        tolerance = policy.gates.tail_points / 100
        new, old = evidence.traffic.new, evidence.traffic.old
        new_effect, old_effect = new.latency_effect(), old.latency_effect()
        by_route = {
            route: (a.thinned(new_effect), b.thinned(old_effect))
            for route, sample in new.routes.items()
            if (same := old.routes.get(route)) is not None and same.requests
            for a, b in [_beyond_p95(sample, same)]
        }
        first, second = (_sum([pair[side] for pair in by_route.values()]) for side in (0, 1))
        value = first.rate - second.rate
        bounds = difference_bounds(first, second, ALPHA_PASS)
        outcome = Outcome.PASS if bounds.high < tolerance else Outcome.INCONCLUSIVE
        low, high = 100 * bounds.low, 100 * bounds.high
        reason = f"{100 * value:+.1f} points beyond the old p95, between {low:.1f} and {high:.1f}"
        if value > tolerance / 2 and difference_bounds(first, second, ALPHA_FAIL).low > tolerance / 2:
            outcome = Outcome.FAIL
        for route, (mine, other) in by_route.items():
            if mine.rate - other.rate > tolerance:
                apart = difference_bounds(mine, other, ALPHA_FAIL / len(by_route))
                if apart.low > tolerance:
                    outcome, reason = Outcome.FAIL, f"{route}: {100 * mine.rate:.0f} % are beyond the old p95"
        return Verdict(
            self.name,
            outcome,
            reason,
            value=100 * value,
            low=low,
            high=high,
            threshold=policy.gates.tail_points,
            unit="points",
            group=evidence.group,
        )


def _beyond_p95(new: Sample, old: Sample) -> tuple[Count, Count]:
    """How many requests of each side are slower than the bin that holds the old side's p95."""
    wanted = _P95 * sum(old.bins)
    seen = 0.0
    at = 0
    for at, count in enumerate(old.bins):  # noqa: B007 - where the loop ends is what it is for
        seen += count
        if seen >= wanted:
            break
    return (
        Count(sum(new.bins[at + 1 :]), sum(new.bins)),
        Count(sum(old.bins[at + 1 :]), sum(old.bins)),
    )


def _sum(counts: list[Count]) -> Count:
    return Count(sum(count.hits for count in counts), sum(count.trials for count in counts))
