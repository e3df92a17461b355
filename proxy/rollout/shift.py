# SPDX-License-Identifier: AGPL-3.0-or-later
"""May a unit be shifted to a share? Yes, no, or not enough evidence, with the reasons. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from proxy.rollout.evidence import Evidence
from proxy.rollout.gates import gates_at
from proxy.rollout.phases import Phase
from proxy.rollout.policy import Policy
from proxy.rollout.state import State
from proxy.rollout.verdict import Outcome, Verdict, overall


class Answer(StrEnum):
    """The answer to `can-i-shift`; exit codes 0, 1 and 3."""

    YES = "yes"
    NO = "no"
    NOT_ENOUGH = "not-enough-evidence"


class Shift(msgspec.Struct, frozen=True):
    """The answer with its reasons, and every gate's verdict."""

    unit: str
    share: float
    percent: float
    answer: Answer
    reasons: tuple[str, ...]
    verdicts: tuple[Verdict, ...] = ()


def can_shift(state: State, evidence: Sequence[Evidence], policy: Policy, percent: float) -> Shift:
    """Whether `percent` may be next, by the evidence at the share of now."""
    verdicts = tuple(gate.judge(one, policy) for one in evidence for gate in gates_at(state.share))

    def answer(word: Answer, *reasons: str) -> Shift:
        return Shift(state.unit, state.share, percent, word, reasons, verdicts)

    if percent <= state.share:
        return answer(Answer.YES, "lowering is always possible")
    if state.phase in (Phase.KILLED, Phase.RETIRED):
        return answer(Answer.NO, f"it is {state.phase}")
    # An open difference is an answer, not a lack of evidence.
    against = [one for one in verdicts if one.outcome is Outcome.FAIL or _is_open_finding(one)]
    if against:
        return answer(Answer.NO, *map(_say, against))
    step = policy.step_after(state.share)
    if step is not None and percent > step:
        return answer(Answer.NO, f"the next step after {state.share:g} % is {step:g} %: more was never tried")
    if overall(verdicts) is Outcome.PASS:
        return answer(Answer.YES, "all gates pass")
    return answer(Answer.NOT_ENOUGH, *(_say(one) for one in verdicts if one.outcome is Outcome.INCONCLUSIVE))


def _is_open_finding(verdict: Verdict) -> bool:
    return verdict.gate == "findings" and verdict.outcome is Outcome.INCONCLUSIVE


def _say(verdict: Verdict) -> str:
    return f"{verdict.gate} ({verdict.group}): {verdict.reason}"
