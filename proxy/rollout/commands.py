# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people do, and what follows. Pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from proxy.rollout.phases import Event, Phase
from proxy.rollout.policy import Unit
from proxy.rollout.state import State


class Verb(StrEnum):
    """What can be asked for one unit."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CONFIRM = "confirm"
    BACK = "back"
    KILL = "kill"
    UNKILL = "unkill"
    RETIRE = "retire"


class RefusedError(Exception):
    """It makes no sense now; the message says why, and what would."""


def carried_out(
    verb: Verb,
    state: State,
    unit: Unit,
    now: float,
    *,
    by: str,
    reason: str,
    build: str,
    percent: float = 0.0,
) -> tuple[State, str]:
    """What follows, and what the journal calls it. Raises RefusedError, IllegalTransitionError.

    `percent` is where `back` goes to.
    """
    why = reason or f"asked by {by}"
    match verb:
        case Verb.START:
            return _started(state, unit, now, by, why, build), Event.START
        case Verb.CONFIRM:
            return _confirmed(state, unit, now, by, why), "confirm"
        case Verb.BACK:
            if percent >= state.share > 0 or (not state.share and state.phase is not Phase.SHADOW):
                raise RefusedError(f"{unit.name} is at {state.share:g} %: going back means less than that")
            return state.moved(Event.BACK, now, share=percent, last_good=0.0, reason=why, by=by), Event.BACK
        case Verb.KILL | Verb.UNKILL:
            event = Event(verb.value)
            return state.moved(event, now, share=0.0, last_good=0.0, reason=why, by=by), event
        case Verb.PAUSE | Verb.RESUME | Verb.RETIRE:
            if verb is Verb.RESUME and not state.share:
                raise RefusedError(f"{unit.name} is at 0 %: start it")
            event = Event(verb.value)
            return state.moved(event, now, reason=why, by=by), event


def _started(state: State, unit: Unit, now: float, by: str, why: str, build: str) -> State:
    if unit.policy is None:
        # Nobody but the file moves it: it gets the file's share back.
        phase = {0.0: Phase.LEGACY, 100.0: Phase.FULL}.get(unit.percent, Phase.PAUSED)
        if state.phase is not Phase.ROLLED_BACK:
            raise RefusedError(
                f"{unit.name} has no ramp: give it one in the routing file, or set its percent there"
            )
        return msgspec.structs.replace(
            state,
            phase=phase,
            share=unit.percent,
            since=now,
            epoch=state.epoch + 1,
            reason=why,
            by=by,
            changed_at=now,
            version=state.version + 1,
        )
    return state.moved(Event.START, now, share=0.0, build=build, last_good=0.0, reason=why, by=by)


def _confirmed(state: State, unit: Unit, now: float, by: str, why: str) -> State:
    step = None if unit.policy is None else unit.policy.step_after(state.share)
    if unit.policy is None or step not in unit.policy.confirm:
        raise RefusedError(f"no step of {unit.name} after {state.share:g} % waits for a confirmation")
    if state.phase not in (Phase.SHADOW, Phase.RAMPING, Phase.HOLDING):
        raise RefusedError(f"{unit.name} is {state.phase}: there is nothing to confirm")
    return msgspec.structs.replace(
        state, confirmed=step, reason=why, by=by, changed_at=now, version=state.version + 1
    )
