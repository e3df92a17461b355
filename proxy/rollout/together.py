# SPDX-License-Identifier: AGPL-3.0-or-later
"""What units owe each other: from stage 9 on a stage goes back as a whole. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from proxy.rollout.phases import Event, Phase
from proxy.rollout.policy import Unit
from proxy.rollout.state import State

_BACK = (Event.FAIL, Event.BACK, Event.KILL)


def goes_with(unit: Unit, event: Event, units: Mapping[str, Unit], states: Mapping[str, State]) -> list[str]:
    """The other units that have to go back when `unit` does: those of its stage that have a share.

    They write the same rows as it, so a part of the stage on the new side would be worse than none.
    """
    if event not in _BACK or not unit.goes_back_whole:
        return []
    return [
        name
        for name, other in units.items()
        if name != unit.name
        and other.stage == unit.stage
        and (state := states.get(name)) is not None
        and state.share > 0
        and state.phase not in (Phase.RETIRED, Phase.KILLED)
    ]
