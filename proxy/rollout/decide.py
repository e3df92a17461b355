# SPDX-License-Identifier: AGPL-3.0-or-later
"""One tick for one unit: state and evidence in, what follows out. Pure.

In this order:

1. another build of the new side        evidence begins anew; what passed before no longer counts
2. the hard limit                       back to 0
3. a gate that fails, whatever is waited for (a dwell, a person, a window)
                                        back to the last good step; where that fails as well, to 0
4. a person holds it, or all is frozen  stay
5. the dwell is not over                stay
6. a gate that does not know            stay, and say what is missing
7. all pass: a person is asked for, or no change window is open
                                        stay, and say so
8. the next step
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from proxy.rollout.evidence import Evidence
from proxy.rollout.gates import gates_at
from proxy.rollout.phases import CLIMBING, WATCHED, Event, Phase
from proxy.rollout.policy import Policy
from proxy.rollout.state import State
from proxy.rollout.verdict import Outcome, Verdict, overall

BY_GATES = "gates"
"""Who moved a share, where no person did."""


class Decision(msgspec.Struct, frozen=True):
    """What a tick comes to. `event` is None where nothing changes; `waits_for` says what is missing: `evidence`,
    `dwell`, `person`, `window`, `thaw`, or nothing."""

    verdict: Outcome
    reasons: tuple[str, ...]
    next: State
    event: Event | None = None
    waits_for: str = ""
    verdicts: tuple[Verdict, ...] = ()


def decide(
    state: State,
    evidence: Sequence[Evidence],
    policy: Policy,
    now: float,
    *,
    build: str = "",
    frozen: bool = False,
) -> Decision:
    """What follows for a unit. `evidence`: one for each of its groups, of the state's epoch; `build`: what the new side
    runs now, "" where that is not known."""
    if state.phase not in WATCHED:
        return Decision(Outcome.INCONCLUSIVE, (f"nothing is decided while {state.phase}",), state)
    if build and build != state.build:
        return _deployed(state, build, now)
    verdicts = tuple(gate.judge(one, policy) for one in evidence for gate in gates_at(state.share))
    outcome = overall(verdicts)
    if outcome is Outcome.FAIL:
        return _failed(state, verdicts, now)
    undecided = tuple(verdict for verdict in verdicts if verdict.outcome is Outcome.INCONCLUSIVE)

    def stay(reasons: tuple[str, ...], waits_for: str, event: Event | None = None) -> Decision:
        following = (
            state if event is None else state.moved(event, now, reason="; ".join(reasons), by=BY_GATES)
        )
        return Decision(outcome, reasons, following, event, waits_for, verdicts)

    if state.phase is Phase.SOAKING:
        return _soak(state, policy, now, outcome, verdicts)
    if state.phase not in CLIMBING:
        return stay((state.reason,), "")
    left = state.since + _stay_of(state, policy) - now
    if left > 0:
        return stay((f"{left:.0f} s of the dwell are left",), "dwell")
    waiting, reasons = _obstacle(state, policy, now, undecided, frozen)
    if waiting:
        holds = Event.WAIT if state.phase is Phase.RAMPING else None
        return stay(reasons, waiting, holds)
    return _raised(state, policy, now, verdicts)


def _stay_of(state: State, policy: Policy) -> float:
    if state.phase is Phase.SHADOW:
        return policy.compare if policy.gates.compare else 0.0
    return policy.dwell


def _deployed(state: State, build: str, now: float) -> Decision:
    reason = f"the new side runs build {build}: evidence begins anew"
    following = state.moved(Event.DEPLOY, now, build=build, last_good=0.0, reason=reason, by=BY_GATES)
    return Decision(Outcome.INCONCLUSIVE, (reason,), following, Event.DEPLOY, "evidence")


def _failed(state: State, verdicts: tuple[Verdict, ...], now: float) -> Decision:
    failed = tuple(verdict for verdict in verdicts if verdict.outcome is Outcome.FAIL)
    hard = any(verdict.hard for verdict in failed)
    target = state.last_good if state.last_good < state.share and not hard else 0.0
    reasons = tuple(f"{verdict.gate} ({verdict.group}): {verdict.reason}" for verdict in failed)
    if state.phase is Phase.ROLLED_BACK and state.share == target:
        return Decision(Outcome.FAIL, reasons, state, None, "", verdicts)
    following = state.moved(
        Event.FAIL, now, share=target, last_good=0.0, reason="; ".join(reasons), by=BY_GATES
    )
    return Decision(Outcome.FAIL, reasons, following, Event.FAIL, "", verdicts)


def _soak(
    state: State, policy: Policy, now: float, outcome: Outcome, verdicts: tuple[Verdict, ...]
) -> Decision:
    left = state.since + policy.soak - now
    if left > 0:
        return Decision(outcome, (f"{left:.0f} s of soaking are left",), state, None, "dwell", verdicts)
    reason = f"soaked for {policy.soak:.0f} s"
    following = state.moved(Event.SETTLE, now, reason=reason, by=BY_GATES)
    return Decision(outcome, (reason,), following, Event.SETTLE, "", verdicts)


def _obstacle(
    state: State, policy: Policy, now: float, undecided: tuple[Verdict, ...], frozen: bool
) -> tuple[str, tuple[str, ...]]:
    """What keeps a unit from the next step, and why; "" for nothing."""
    if undecided:
        return "evidence", tuple(f"{one.gate} ({one.group}): {one.reason}" for one in undecided)
    step = policy.step_after(state.share)
    if frozen:
        return "thaw", ("all rollouts are frozen",)
    if step in policy.confirm and state.confirmed != step:
        return "person", (f"all gates pass; {step:g} % waits for a person's confirmation",)
    if not policy.is_open(now):
        return "window", ("all gates pass; no change window is open",)
    return "", ()


def _raised(state: State, policy: Policy, now: float, verdicts: tuple[Verdict, ...]) -> Decision:
    step = policy.step_after(state.share)
    if step is None or step == policy.top:
        event, share = Event.TOP, policy.top
    else:
        event, share = Event.ADVANCE, step
    reason = f"all gates passed at {state.share:g} %"
    following = state.moved(event, now, share=share, last_good=state.share, reason=reason, by=BY_GATES)
    return Decision(Outcome.PASS, (reason,), following, event, "", verdicts)
