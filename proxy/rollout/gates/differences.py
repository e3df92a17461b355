# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rate of answers that differ, with a bound; for requests that may not be asked twice, a proof from recordings."""

from __future__ import annotations

from proxy.rollout.evidence import Evidence
from proxy.rollout.policy import ALPHA_FAIL, ALPHA_PASS, Policy
from proxy.rollout.statistics import Count, rate_bounds
from proxy.rollout.verdict import Outcome, Verdict


class Differences:
    """`differences`"""

    name = "differences"

    def judge(self, evidence: Evidence, policy: Policy) -> Verdict:
        if not policy.gates.compare:
            return Verdict(self.name, Outcome.PASS, "not asked for by this ramp", group=evidence.group)
        return _by_comparing(evidence, policy) if evidence.repeatable else _by_proof(evidence, policy)


def _by_comparing(evidence: Evidence, policy: Policy) -> Verdict:
    seen = evidence.comparisons
    threshold = policy.gates.diff_rate
    if seen is None or not seen.compared:
        return Verdict(
            Differences.name,
            Outcome.INCONCLUSIVE,
            "nothing of this build was compared yet",
            threshold=threshold,
            unit="%",
            group=evidence.group,
        )
    count = Count(seen.differing, seen.compared)
    bounds = rate_bounds(count, ALPHA_PASS)
    outcome = Outcome.PASS if 100 * bounds.high < threshold else Outcome.INCONCLUSIVE
    if 100 * count.rate > threshold and 100 * rate_bounds(count, ALPHA_FAIL).low > threshold:
        outcome = Outcome.FAIL
    return Verdict(
        Differences.name,
        outcome,
        f"{seen.differing} of {seen.compared} differ; at most {100 * bounds.high:.3f} %",
        value=100 * count.rate,
        low=100 * bounds.low,
        high=100 * bounds.high,
        threshold=threshold,
        unit="%",
        group=evidence.group,
    )


def _by_proof(evidence: Evidence, policy: Policy) -> Verdict:
    of_build = [proof for proof in evidence.proofs if proof.build == evidence.build]
    proof = max(of_build, key=lambda one: one.at, default=None)
    if proof is None:
        outcome, reason = (
            Outcome.INCONCLUSIVE,
            "no `contracts verify-writes` or `replay` of this build is on record",
        )
    elif not proof.green:
        outcome, reason = Outcome.FAIL, f"`contracts {proof.kind}` of this build found differences"
    elif evidence.now - proof.at > policy.gates.proof_age:
        outcome, reason = Outcome.INCONCLUSIVE, f"the last `contracts {proof.kind}` of this build is too old"
    else:
        outcome, reason = Outcome.PASS, f"`contracts {proof.kind}` was green on {proof.cases} cases"
    return Verdict(Differences.name, outcome, reason, group=evidence.group)
