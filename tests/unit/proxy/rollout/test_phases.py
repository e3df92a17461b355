# SPDX-License-Identifier: AGPL-3.0-or-later
"""The transition table: as written in words, closed, and nothing beside it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.rollout import phases
from proxy.rollout.phases import TRANSITIONS, WATCHED, Event, IllegalTransitionError, Phase, after, events_in
from proxy.rollout.state import State


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("event", Event)
def test_what_is_not_in_the_table_is_impossible(phase: Phase, event: Event) -> None:
    if (phase, event) in TRANSITIONS:
        assert after(phase, event) is TRANSITIONS[phase, event]
    else:
        with pytest.raises(IllegalTransitionError, match=f"cannot {event} while {phase}"):
            after(phase, event)


def test_every_phase_and_event_is_in_the_docstring() -> None:
    assert phases.__doc__ is not None
    for one in [*Phase, *Event]:
        assert re.search(rf"^    {one} ", phases.__doc__, re.MULTILINE), one


def test_kill_is_possible_everywhere_but_where_the_old_side_is_gone() -> None:
    assert [phase for phase in Phase if Event.KILL not in events_in(phase)] == [Phase.RETIRED]


def test_whatever_is_watched_can_fail() -> None:
    assert all(after(phase, Event.FAIL) is Phase.ROLLED_BACK for phase in WATCHED)


@given(st.lists(st.sampled_from(Event)))
def test_versions_rise_and_retired_is_the_end(events: list[Event]) -> None:
    state = State("u", Phase.LEGACY, 0)
    for number, event in enumerate(events):
        if (state.phase, event) not in TRANSITIONS:
            continue
        following = state.moved(event, number, reason="", by="test")
        assert following.version == state.version + 1
        assert state.phase is not Phase.RETIRED
        state = following
