# SPDX-License-Identifier: AGPL-3.0-or-later
"""The phases of a rollout, and the only ways from one to the next.

    legacy ─start→ shadow ─advance→ ramping ─advance→ … ─top→ soaking ─settle→ full ─retire→ retired
                                     │   ↑
                                    wait advance
                                     ↓   │
                                    holding

    phase        share  means
    legacy       0      nothing happens
    shadow       0      answers are compared, no user is moved
    ramping      > 0    on a step of the ramp, until its dwell is over
    holding      > 0    the dwell is over; evidence, a person or a change window is waited for
    soaking      top    on the last step, watched before it is called done
    full         top    done; the old side could still take everything back
    retired      top    the old side may go: nothing is taken back any more
    rolled_back  ≥ 0    a gate failed, or a person went back: at the last good step, or 0, until somebody starts it anew
    paused       any    a person holds the share; it may still fall
    killed       0      everything to the old side at once, whatever else is known

    event    by           from → to
    start    a person     legacy, rolled_back, paused → shadow
    advance  gates        shadow, ramping, holding → ramping
    wait     gates        ramping → holding
    top      gates        shadow, ramping, holding → soaking
    settle   time         soaking → full
    retire   a person     full → retired
    deploy   a new build  what is watched stays, its evidence begins anew (holding → ramping, full → soaking)
    pause    a person     shadow, ramping, holding, soaking, full → paused
    resume   a person     paused → holding
    fail     gates        what is watched → rolled_back
    back     a person     what is watched → rolled_back (shadow → legacy)
    kill     a person     all but retired → killed
    unkill   a person     killed → rolled_back

Watched are shadow, ramping, holding, soaking, full, paused and rolled_back. `TRANSITIONS` is this table as data, and
`after` the only way to a new phase: no other step can be taken.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Phase(StrEnum):
    """Where a rollout stands. A metric label; never renamed."""

    LEGACY = "legacy"
    SHADOW = "shadow"
    RAMPING = "ramping"
    HOLDING = "holding"
    SOAKING = "soaking"
    FULL = "full"
    RETIRED = "retired"
    ROLLED_BACK = "rolled_back"
    PAUSED = "paused"
    KILLED = "killed"


class Event(StrEnum):
    """What moves a rollout; stands in the journal. Never renamed."""

    START = "start"
    ADVANCE = "advance"
    WAIT = "wait"
    TOP = "top"
    SETTLE = "settle"
    RETIRE = "retire"
    DEPLOY = "deploy"
    PAUSE = "pause"
    RESUME = "resume"
    FAIL = "fail"
    BACK = "back"
    KILL = "kill"
    UNKILL = "unkill"


_P, _E = Phase, Event
WATCHED: Final = (_P.SHADOW, _P.RAMPING, _P.HOLDING, _P.SOAKING, _P.FULL, _P.PAUSED, _P.ROLLED_BACK)
"""Where evidence is looked at."""
CLIMBING: Final = (_P.SHADOW, _P.RAMPING, _P.HOLDING)
"""Where evidence may lead to the next step."""

TRANSITIONS: Final[dict[tuple[Phase, Event], Phase]] = {
    **{(phase, _E.START): _P.SHADOW for phase in (_P.LEGACY, _P.ROLLED_BACK, _P.PAUSED)},
    **{(phase, _E.ADVANCE): _P.RAMPING for phase in (_P.SHADOW, _P.RAMPING, _P.HOLDING)},
    (_P.RAMPING, _E.WAIT): _P.HOLDING,
    **{(phase, _E.TOP): _P.SOAKING for phase in (_P.SHADOW, _P.RAMPING, _P.HOLDING)},
    (_P.SOAKING, _E.SETTLE): _P.FULL,
    (_P.FULL, _E.RETIRE): _P.RETIRED,
    **{(phase, _E.DEPLOY): phase for phase in WATCHED},
    (_P.HOLDING, _E.DEPLOY): _P.RAMPING,
    (_P.FULL, _E.DEPLOY): _P.SOAKING,
    **{(phase, _E.PAUSE): _P.PAUSED for phase in (_P.SHADOW, _P.RAMPING, _P.HOLDING, _P.SOAKING, _P.FULL)},
    (_P.PAUSED, _E.RESUME): _P.HOLDING,
    **{(phase, _E.FAIL): _P.ROLLED_BACK for phase in WATCHED},
    **{(phase, _E.BACK): _P.ROLLED_BACK for phase in WATCHED},
    (_P.SHADOW, _E.BACK): _P.LEGACY,
    **{(phase, _E.KILL): _P.KILLED for phase in Phase if phase is not _P.RETIRED},
    (_P.KILLED, _E.UNKILL): _P.ROLLED_BACK,
}


class IllegalTransitionError(Exception):
    """An event that means nothing in a phase."""

    def __init__(self, phase: Phase, event: Event) -> None:
        super().__init__(
            f"cannot {event} while {phase}; possible: {', '.join(events_in(phase)) or 'nothing'}"
        )
        self.phase = phase
        self.event = event


def after(phase: Phase, event: Event) -> Phase:
    """The phase that follows. Raises IllegalTransitionError."""
    found = TRANSITIONS.get((phase, event))
    if found is None:
        raise IllegalTransitionError(phase, event)
    return found


def events_in(phase: Phase) -> tuple[Event, ...]:
    """What may happen in a phase."""
    return tuple(event for event in Event if (phase, event) in TRANSITIONS)
