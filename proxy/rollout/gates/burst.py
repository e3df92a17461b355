# SPDX-License-Identifier: AGPL-3.0-or-later
"""The hard limit: many failures of the new side at once, and not of the old. Back to 0, without waiting for a test.

Failures of one user alone are no burst: something fails for users in three of the 64 random groups, or for all there
are. Requests that could not reach the new side and were answered by the old one count as well.
"""

from __future__ import annotations

from proxy.rollout.evidence import Evidence
from proxy.rollout.policy import Policy
from proxy.rollout.verdict import Outcome, Verdict

SOURCES = 3
"""In so many random groups of users something has to fail, lest one user's mishap counts as everybody's."""


class Burst:
    """`burst`"""

    name = "burst"

    def judge(self, evidence: Evidence, policy: Policy) -> Verdict:
        limit = policy.gates.burst
        new, old = evidence.traffic.new.recent, evidence.traffic.old.recent
        failures = sum(new.errors) + new.fallen
        requests = sum(new.requests) + new.fallen
        points = 100 * (_rate(failures, requests) - _rate(sum(old.errors), sum(old.requests)))
        failing = sum(1 for errors in new.errors if errors)
        spread = failing >= SOURCES or new.fallen >= limit.errors or _everywhere(new.requests, new.errors)
        broken = failures >= limit.errors and points >= limit.points and spread
        return Verdict(
            self.name,
            Outcome.FAIL if broken else Outcome.PASS,
            f"{failures:.0f} failures in {limit.window:g} s, {points:.1f} points more than on the old side",
            value=points,
            threshold=limit.points,
            unit="points",
            group=evidence.group,
            hard=True,
        )


def _rate(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _everywhere(requests: list[float], errors: list[float]) -> bool:
    """Whether there are at least two random groups of users, and all of them fail."""
    busy = [bool(failed) for asked, failed in zip(requests, errors, strict=True) if asked]
    return len(busy) >= 2 and all(busy)
