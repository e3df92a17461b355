# SPDX-License-Identifier: AGPL-3.0-or-later
"""The error rates of the two sides, of the group and of each route, as a difference in points.

Passes when the difference surely is below the tolerance, fails when it surely exceeds half of it: what lies between is
watched on. A failure has to show in several random groups of users.
"""

from __future__ import annotations

from proxy.rollout.evidence import Evidence
from proxy.rollout.gates.burst import SOURCES
from proxy.rollout.policy import ALPHA_FAIL, ALPHA_PASS, Policy
from proxy.rollout.statistics import Count, difference_bounds
from proxy.rollout.verdict import Outcome, Verdict


class Errors:
    """`errors`"""

    name = "errors"

    def judge(self, evidence: Evidence, policy: Policy) -> Verdict:
        tolerance = policy.gates.error_points / 100
        new, old = evidence.traffic.new, evidence.traffic.old
        new_effect, old_effect = new.error_effect(), old.error_effect()
        first, second = new.errors.thinned(new_effect), old.errors.thinned(old_effect)
        value = first.rate - second.rate
        outcome, bounds = Outcome.INCONCLUSIVE, difference_bounds(first, second, ALPHA_PASS)
        reason = f"{100 * value:+.2f} points, between {100 * bounds.low:.2f} and {100 * bounds.high:.2f}"
        if bounds.high < tolerance:
            outcome = Outcome.PASS
        if new.failing_strata >= SOURCES:
            if value > tolerance / 2 and difference_bounds(first, second, ALPHA_FAIL).low > tolerance / 2:
                outcome = Outcome.FAIL
            elif (route := _broken_route(evidence, new_effect, old_effect, tolerance)) is not None:
                outcome, reason = Outcome.FAIL, f"{route} fails on the new side"
        return Verdict(
            self.name,
            outcome,
            reason,
            value=100 * value,
            low=100 * bounds.low,
            high=100 * bounds.high,
            threshold=policy.gates.error_points,
            unit="points",
            group=evidence.group,
        )


def _broken_route(evidence: Evidence, new_effect: float, old_effect: float, tolerance: float) -> str | None:
    """A route whose error rate surely exceeds the old side's by more than the tolerance."""
    new, old = evidence.traffic.new.routes, evidence.traffic.old.routes
    for route, sample in new.items():
        other = old.get(route)
        if other is None or not sample.errors:
            continue
        first = Count(sample.errors, sample.requests)
        second = Count(other.errors, other.requests)
        if first.rate - second.rate > tolerance:
            bounds = difference_bounds(
                first.thinned(new_effect), second.thinned(old_effect), ALPHA_FAIL / len(new)
            )
            if bounds.low > tolerance:
                return route
    return None
