# SPDX-License-Identifier: AGPL-3.0-or-later
"""The circuit's table of states, row by row, and what holds over any course of events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.config.written import Breaker
from proxy.dataplane.breaker import Circuit, State

LIMITS = Breaker(failures=3, window=10, rest=5)


def circuit(limits: Breaker = LIMITS) -> Circuit:
    return Circuit(limits, patience=60)


def opened(at: float = 100.0) -> Circuit:
    one = circuit()
    assert one.failed(at, certain=True)
    return one


def test_it_opens_with_the_last_of_the_failures_within_the_window() -> None:
    one = circuit()
    assert not one.failed(100)
    assert not one.failed(101)
    assert (one.state, one.admits(101)) == (State.CLOSED, True)
    assert one.failed(102)
    assert (one.state, one.admits(102)) == (State.OPEN, False)


def test_failures_of_an_earlier_window_do_not_count() -> None:
    one = circuit()
    one.failed(100)
    one.failed(101)
    assert not one.failed(110)
    assert not one.failed(111)
    assert one.failed(112)


def test_it_stays_closed_while_at_least_as_many_answers_come() -> None:
    one = circuit()
    one.failed(100)
    for _ in range(4):
        one.answered(100.5)
    assert [one.failed(101 + n / 10) for n in range(4)] == [False, False, False, True]


def test_a_refused_connection_is_enough() -> None:
    assert opened().state is State.OPEN


def test_answers_need_reporting_only_while_something_failed_lately() -> None:
    one = circuit()
    alerts = [one.alert]
    one.failed(100)
    alerts.append(one.alert)
    one.answered(105)
    alerts.append(one.alert)
    one.answered(110)
    alerts.append(one.alert)
    assert alerts == [False, True, True, False]


def test_while_open_nothing_moves_it_but_time() -> None:
    one = opened(100)
    one.sent(101)
    assert not one.answered(102)
    assert not one.failed(103)
    assert (one.state, one.admits(104.9), one.admits(105)) == (State.OPEN, False, True)


def test_one_request_at_a_time_tries_it_again() -> None:
    one = opened(100)
    one.sent(105)
    assert (one.state, one.admits(105), one.admits(164)) == (State.TRIAL, False, False)
    assert one.admits(165)


def test_a_trial_that_is_answered_closes_it_for_good() -> None:
    one = opened(100)
    one.sent(105)
    assert one.answered(106)
    assert (one.state, one.alert) == (State.CLOSED, False)
    assert not one.failed(107)


def test_a_trial_that_fails_opens_it_again() -> None:
    one = opened(100)
    one.sent(105)
    assert one.failed(106)
    assert (one.admits(110.9), one.admits(111)) == (False, True)


def test_a_trial_whose_client_left_gives_way_to_another() -> None:
    one = opened(100)
    one.sent(105)
    one.undecided(106)
    assert (one.state, one.admits(106)) == (State.OPEN, True)
    one.sent(106)
    assert not one.admits(107)


def test_it_can_be_switched_off() -> None:
    one = circuit(Breaker(failures=0))
    assert not any(one.failed(100, certain=True) for _ in range(100))
    assert one.admits(100)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["sent", "failed", "refused", "answered", "undecided"]),
        st.floats(0, 4, allow_nan=False),
    )
)


@given(EVENTS)
def test_it_never_locks_itself_out(events: list[tuple[str, float]]) -> None:
    """Whatever happened: a request is admitted within the trial's patience, and an answer to it closes the circuit."""
    one = circuit()
    now = 0.0
    for event, later in events:
        now += later
        match event:
            case "sent" if one.admits(now):
                one.sent(now)
            case "failed":
                one.failed(now)
            case "refused":
                one.failed(now, certain=True)
            case "answered":
                one.answered(now)
            case "undecided":
                one.undecided(now)
        assert one.alert or one.state is State.CLOSED
    now += 60
    assert one.admits(now)
    one.sent(now)
    one.answered(now)
    assert one.state is State.CLOSED
    assert one.admits(now)
