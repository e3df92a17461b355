# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where each unit's rollout stands: small, immutable, the same document in Redis, in the file and in the journal."""

from __future__ import annotations

import msgspec

from proxy.rollout.phases import Event, Phase, after
from proxy.rollout.policy import Unit


class State(msgspec.Struct, frozen=True):
    """One unit's rollout.

    `share` is in effect for all groups of the unit (percent). `since`: when its evidence began (seconds since 1970);
    with `epoch` it changes whenever the share or the build does. `last_good` is the highest share that passed its gates
    with this build, `confirmed` the step that a person agreed to. `version` rises with every change: replicas take the
    higher.
    """

    unit: str
    phase: Phase
    share: float
    since: float = 0.0
    epoch: int = 0
    build: str = ""
    last_good: float = 0.0
    confirmed: float | None = None
    reason: str = ""
    by: str = ""
    changed_at: float = 0.0
    version: int = 0

    def moved(
        self,
        event: Event,
        now: float,
        *,
        share: float | None = None,
        build: str | None = None,
        last_good: float | None = None,
        reason: str,
        by: str,
    ) -> State:
        """What follows an event. Raises IllegalTransitionError."""
        phase = after(self.phase, event)
        share = self.share if share is None else share
        build = self.build if build is None else build
        anew = share != self.share or build != self.build or phase is Phase.SHADOW
        return msgspec.structs.replace(
            self,
            phase=phase,
            share=share,
            build=build,
            since=now if anew else self.since,
            epoch=self.epoch + 1 if anew else self.epoch,
            last_good=self.last_good if last_good is None else last_good,
            confirmed=None if anew else self.confirmed,
            reason=reason,
            by=by,
            changed_at=now,
            version=self.version + 1,
        )


def first_state(unit: Unit) -> State:
    """What a unit has before anything was decided: what the file says.

    A share that is neither 0 nor 100 was set by a person: it is held until somebody resumes or starts.
    """
    ends = {0.0: Phase.LEGACY, 100.0: Phase.FULL}
    phase = ends.get(unit.percent, Phase.PAUSED)
    return State(unit.name, phase, unit.percent, reason="as written in the routing file")


def lowest(states: list[State]) -> State:
    """The most careful of several accounts of one unit: the lowest share; of equals the newest."""
    return min(states, key=lambda state: (state.share, -state.version))
