# SPDX-License-Identifier: AGPL-3.0-or-later
"""Was what traffic shows compared at all: query keys, statuses, roles (signed in, anonymous, guest token, API key)?"""

from __future__ import annotations

from proxy.rollout.evidence import Covered, Evidence
from proxy.rollout.policy import Policy
from proxy.rollout.verdict import Outcome, Verdict


class Coverage:
    """`coverage`"""

    name = "coverage"

    def judge(self, evidence: Evidence, policy: Policy) -> Verdict:
        seen = evidence.comparisons
        if not policy.gates.compare or not evidence.repeatable or seen is None or not seen.coverage:
            return Verdict(self.name, Outcome.PASS, "not measured", group=evidence.group)
        worst = 100.0
        missing = []
        for kind, covered in sorted(seen.coverage.items()):
            percent = _percent(covered)
            worst = min(worst, percent)
            if percent < policy.gates.coverage:
                absent = sorted(set(covered.seen) - set(covered.compared))
                missing.append(f"{kind}: {', '.join(absent[:5])}{' …' if len(absent) > 5 else ''}")
        return Verdict(
            self.name,
            Outcome.INCONCLUSIVE if missing else Outcome.PASS,
            "never compared " + "; ".join(missing)
            if missing
            else f"at least {worst:.0f} % of each kind was compared",
            value=worst,
            threshold=policy.gates.coverage,
            unit="%",
            group=evidence.group,
        )


def _percent(covered: Covered) -> float:
    return (
        100 * len(set(covered.seen) & set(covered.compared)) / len(set(covered.seen))
        if covered.seen
        else 100.0
    )
