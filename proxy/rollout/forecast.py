# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long until the evidence suffices, at today's traffic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from proxy.rollout.evidence import Evidence
from proxy.rollout.gates import gates_at
from proxy.rollout.policy import Policy
from proxy.rollout.verdict import Outcome

_LONGEST: Final = 10_000.0  # times what was seen so far: beyond it no figure is worth naming
_PRECISION: Final = 0.05


def seconds_needed(evidence: Sequence[Evidence], share: float, policy: Policy) -> float | None:
    """Seconds from now until every gate that waits for more of the same would pass, if rates stay what they are.

    0 where all pass. None where more time alone does not help: no traffic, an open finding, a missing proof, a
    difference too near to its tolerance.
    """

    def passes(factor: float) -> bool:
        grown = [one.grown(factor) for one in evidence]
        return all(
            gate.judge(one, policy).outcome is Outcome.PASS for one in grown for gate in gates_at(share)
        )

    seconds = max((one.seconds for one in evidence), default=0.0)
    if not evidence or passes(1.0):
        return 0.0
    low, high = 1.0, 2.0
    while not passes(high):
        low, high = high, high * 2
        if high > _LONGEST:
            return None
    while high / low > 1 + _PRECISION:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if passes(middle) else (middle, high)
    return (high - 1) * seconds
