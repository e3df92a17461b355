# SPDX-License-Identifier: AGPL-3.0-or-later
"""No open finding of severity ERR: each is fixed, or approved by a person, before anything is raised. It holds; how
often it differs is what fails (`differences`)."""

from __future__ import annotations

from proxy.rollout.evidence import Evidence
from proxy.rollout.policy import Policy
from proxy.rollout.verdict import Outcome, Verdict


class Findings:
    """`findings`"""

    name = "findings"

    def judge(self, evidence: Evidence, policy: Policy) -> Verdict:
        seen = evidence.comparisons
        if not policy.gates.compare or seen is None:
            return Verdict(self.name, Outcome.PASS, "none is known", group=evidence.group)
        return Verdict(
            self.name,
            Outcome.INCONCLUSIVE if seen.open_errors else Outcome.PASS,
            f"{seen.open_errors} open findings of severity ERR" if seen.open_errors else "no open finding",
            value=seen.open_errors,
            threshold=0,
            unit="findings",
            group=evidence.group,
        )
