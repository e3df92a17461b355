# SPDX-License-Identifier: AGPL-3.0-or-later
"""Enough requests by enough users on each side. No data halts; it never passes and never fails."""

from __future__ import annotations

from proxy.rollout.evidence import Evidence
from proxy.rollout.policy import Policy
from proxy.rollout.verdict import Outcome, Verdict


class Volume:
    """`volume`"""

    name = "volume"

    def judge(self, evidence: Evidence, policy: Policy) -> Verdict:
        gates = policy.gates
        new, old = evidence.traffic.new, evidence.traffic.old
        missing = []
        for side, name in ((new, "new"), (old, "old")):
            if side.requests < gates.min_requests:
                missing.append(f"{side.requests:.0f} of {gates.min_requests} requests on the {name} side")
            if side.users < gates.min_users:
                missing.append(f"about {side.users:.0f} of {gates.min_users} users on the {name} side")
        return Verdict(
            self.name,
            Outcome.INCONCLUSIVE if missing else Outcome.PASS,
            "; ".join(missing)
            or f"{new.requests:.0f} requests of about {new.users:.0f} users on the new side",
            value=new.requests,
            threshold=gates.min_requests,
            unit="requests",
            group=evidence.group,
        )
