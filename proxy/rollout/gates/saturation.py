# SPDX-License-Identifier: AGPL-3.0-or-later
"""No more load on a backend that has no room: a share waits until either side has free connections."""

from __future__ import annotations

from proxy.rollout.evidence import Evidence
from proxy.rollout.policy import Policy
from proxy.rollout.verdict import Outcome, Verdict


class Saturation:
    """`saturation`"""

    name = "saturation"

    def judge(self, evidence: Evidence, policy: Policy) -> Verdict:
        busiest = max(evidence.traffic.load.items(), key=lambda one: one[1], default=("", 0.0))
        full = busiest[1] > policy.gates.saturation
        return Verdict(
            self.name,
            Outcome.INCONCLUSIVE if full else Outcome.PASS,
            f"{busiest[0]} has {busiest[1]:.0f} % of its connections busy"
            if full
            else "either side has room",
            value=busiest[1],
            threshold=policy.gates.saturation,
            unit="%",
            group=evidence.group,
        )
