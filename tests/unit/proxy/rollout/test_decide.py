# SPDX-License-Identifier: AGPL-3.0-or-later
"""One tick after the other: what follows from state and evidence, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config.windows import read_window
from proxy.config.written import Gates
from proxy.rollout.decide import decide
from proxy.rollout.evidence import Comparisons, Covered, Evidence, Proof
from proxy.rollout.forecast import seconds_needed
from proxy.rollout.phases import Event, Phase
from proxy.rollout.policy import Policy
from proxy.rollout.state import State, lowest
from proxy.rollout.verdict import Outcome
from tests.unit.proxy.rollout.evidences import BAD, EMPTY, GOOD, SAME, UNSURE, burst, evidence, side

POLICY = Policy()
LATER = POLICY.dwell + 1


def at(share: float, phase: Phase = Phase.RAMPING, **more: object) -> State:
    return msgspec.structs.replace(State("u", phase, share, build="b1", last_good=0.0), **more)


def test_a_good_group_climbs_to_the_top_step_by_step() -> None:
    state, now, seen = at(0, Phase.SHADOW), 0.0, []
    while state.phase is not Phase.FULL:
        now += 100_000
        state = decide(state, [GOOD], POLICY, now, build="b1").next
        seen.append((state.phase, state.share, state.last_good))
    assert seen == [
        (Phase.RAMPING, 1, 0),
        (Phase.RAMPING, 10, 1),
        (Phase.RAMPING, 50, 10),
        (Phase.SOAKING, 100, 50),
        (Phase.FULL, 100, 50),
    ]


def test_nothing_is_raised_before_the_dwell_is_over() -> None:
    decision = decide(at(1), [GOOD], POLICY, POLICY.dwell - 1)
    assert (decision.event, decision.waits_for, decision.verdict) == (None, "dwell", Outcome.PASS)


@pytest.mark.parametrize("share", [0, 1, 10, 50])
def test_no_data_halts_and_never_passes(share: float) -> None:
    state = at(share, Phase.RAMPING if share else Phase.SHADOW)
    for tick in range(1, 1_000):
        state = (decision := decide(state, [EMPTY], POLICY, tick * 3_600)).next
        assert decision.verdict is Outcome.INCONCLUSIVE
    assert state.share == share


def test_what_is_inconclusive_holds_and_says_what_is_missing() -> None:
    decision = decide(at(1), [UNSURE], POLICY, LATER)
    assert (decision.event, decision.next.phase, decision.waits_for) == (
        Event.WAIT,
        Phase.HOLDING,
        "evidence",
    )
    assert "errors (g): " in decision.reasons[0]
    again = decide(decision.next, [UNSURE], POLICY, LATER + 1)
    assert (again.event, again.next) == (None, decision.next)


def test_what_failed_goes_back_to_the_last_good_step_and_from_there_to_nothing() -> None:
    first = decide(at(50, last_good=10), [BAD], POLICY, 5)
    assert (first.event, first.next.phase, first.next.share) == (Event.FAIL, Phase.ROLLED_BACK, 10)
    second = decide(first.next, [BAD], POLICY, 6)
    assert (second.next.phase, second.next.share) == (Phase.ROLLED_BACK, 0)
    assert decide(second.next, [EMPTY], POLICY, 1e9).event is None, "it stays until a person starts it"


def test_a_burst_goes_back_to_nothing_at_once() -> None:
    broken = evidence(new=side(60, 30), seconds=3)
    broken.traffic.new.recent = burst(30, 60)
    decision = decide(at(50, last_good=10), [broken], POLICY, 3)
    assert (decision.event, decision.next.share) == (Event.FAIL, 0)


def test_a_burst_of_one_user_or_of_both_sides_is_none() -> None:
    for old, groups in ((burst(0, 1_000), 1), (burst(500, 1_000), 10)):
        mishap = evidence(new=side(60, users=1), seconds=3)
        mishap.traffic.new.recent = burst(30, 60, groups)
        mishap.traffic.new.recent.requests[20] = mishap.traffic.new.recent.requests[21] = 20
        mishap.traffic.old.recent = old
        assert decide(at(50), [mishap], POLICY, 3).event is None


def test_requests_that_cannot_reach_the_new_side_are_a_burst() -> None:
    unreachable = evidence(new=side(0, users=0))
    unreachable.traffic.new.recent.fallen = 25
    assert decide(at(50), [unreachable], POLICY, 3).next.share == 0


def test_a_person_is_asked_before_a_step_to_confirm() -> None:
    policy = replace(POLICY, confirm=frozenset({10.0}))
    asked = decide(at(1), [GOOD], policy, LATER)
    assert (asked.event, asked.waits_for) == (Event.WAIT, "person")
    agreed = msgspec.structs.replace(asked.next, confirmed=10.0)
    assert decide(agreed, [GOOD], policy, LATER).next.share == 10


def test_flagger_1801_a_breach_during_a_confirm_gate_rolls_back() -> None:
    policy = replace(POLICY, confirm=frozenset({50.0}))
    asked = decide(at(10, last_good=1), [GOOD], policy, LATER)
    assert asked.waits_for == "person"
    assert decide(asked.next, [GOOD], policy, LATER + 60).event is None
    breached = decide(asked.next, [BAD], policy, LATER + 120)
    assert (breached.event, breached.next.phase, breached.next.share) == (Event.FAIL, Phase.ROLLED_BACK, 1)


def test_flagger_1501_spiky_traffic_fails_no_check() -> None:
    """Hours without a request between bursts: silence is neither success nor failure."""
    state, now = at(1), 0.0
    for hour in range(48):
        now += 3_600
        state = decide(state, [EMPTY if hour % 2 else UNSURE], POLICY, now).next
    assert (state.phase, state.share) == (Phase.HOLDING, 1)
    assert decide(state, [GOOD], POLICY, now).next.share == 10


def test_argo_4841_an_abort_reaches_zero_from_every_step() -> None:
    for share in (1, 10, 50, 100):
        for phase in (Phase.RAMPING, Phase.HOLDING, Phase.SOAKING, Phase.PAUSED, Phase.FULL):
            state = at(share, phase, last_good=0.0)
            broken = evidence(new=side(60, 60))
            broken.traffic.new.recent = burst(60, 60)
            state = decide(state, [broken], POLICY, 1).next
            assert (state.phase, state.share) == (Phase.ROLLED_BACK, 0)


def test_evidence_belongs_to_a_build() -> None:
    deployed = decide(at(50, last_good=10), [GOOD], POLICY, LATER, build="b2")
    assert (deployed.event, deployed.next.build, deployed.next.since) == (Event.DEPLOY, "b2", LATER)
    assert (deployed.next.share, deployed.next.last_good) == (50, 0)
    assert decide(deployed.next, [GOOD], POLICY, LATER + 1, build="b2").waits_for == "dwell"
    assert decide(deployed.next, [BAD], POLICY, LATER + 1, build="b2").next.share == 0, "no step was good yet"


def test_a_pause_holds_and_still_falls() -> None:
    held = at(10, Phase.PAUSED, last_good=1)
    assert decide(held, [GOOD], POLICY, 1e6).event is None
    assert decide(held, [BAD], POLICY, 1e6).next.share == 1


def test_a_freeze_keeps_from_rising_and_not_from_falling() -> None:
    assert decide(at(10), [GOOD], POLICY, LATER, frozen=True).waits_for == "thaw"
    assert decide(at(10), [BAD], POLICY, LATER, frozen=True).next.share == 0


def test_shares_rise_in_change_windows_only() -> None:
    policy = replace(POLICY, windows=(read_window("mon-fri 09:00-17:00"),), timezone="Europe/Berlin")
    monday = 1_700_000_000 // 86_400 * 86_400 - 86_400  # 2023-11-13, midnight in UTC
    assert decide(at(1), [GOOD], policy, monday + 7.9 * 3600).waits_for == "window"
    assert decide(at(1), [GOOD], policy, monday + 8.1 * 3600).next.share == 10
    assert decide(at(1), [GOOD], policy, monday - 86_400 + 8.1 * 3600).waits_for == "window", "a Sunday"
    assert decide(at(10), [BAD], policy, monday).next.share == 0


def test_a_bundle_rises_only_with_all_its_groups_and_falls_with_one() -> None:
    assert decide(at(1), [GOOD, GOOD], POLICY, LATER).next.share == 10
    assert decide(at(1), [GOOD, UNSURE], POLICY, LATER).waits_for == "evidence"
    assert decide(at(1), [GOOD, BAD], POLICY, 1).next.share == 0


def test_an_open_finding_holds() -> None:
    found = evidence(comparisons=Comparisons(compared=100_000, differing=2, open_errors=1))
    assert "1 open finding" in decide(at(1), [found], POLICY, LATER).reasons[0]


def test_what_was_never_compared_holds() -> None:
    roles = Covered(("signed-in", "anonymous", "guest token"), ("signed-in",))
    found = evidence(comparisons=Comparisons(100_000, 2, coverage={"role": roles}))
    assert "role: anonymous, guest token" in decide(at(1), [found], POLICY, LATER).reasons[0]


def test_a_backend_without_room_holds() -> None:
    full = evidence()
    full.traffic.load["python"] = 97.0
    assert "python has 97 %" in decide(at(1), [full], POLICY, LATER).reasons[0]


@pytest.mark.parametrize(
    ("proofs", "outcome"),
    [
        ([], Outcome.INCONCLUSIVE),
        ([Proof("verify-writes", "b0", True, 100_000)], Outcome.INCONCLUSIVE),
        ([Proof("verify-writes", "b1", True, 100_000)], Outcome.PASS),
        ([Proof("verify-writes", "b1", True, 100_000), Proof("replay", "b1", False, 100_001)], Outcome.FAIL),
        ([Proof("verify-writes", "b1", True, 100_000 - 8 * 86_400)], Outcome.INCONCLUSIVE),
    ],
)
def test_writes_take_their_evidence_from_a_recent_proof_of_this_build(
    proofs: list[Proof], outcome: Outcome
) -> None:
    writes = evidence(comparisons=None, now=100_002)
    writes.proofs, writes.repeatable = tuple(proofs), False
    assert decide(at(1), [writes], POLICY, LATER).verdict is outcome


def test_a_ramp_without_comparing_goes_on_live_figures() -> None:
    policy = replace(POLICY, gates=Gates(compare=False))
    started = decide(at(0, Phase.SHADOW), [EMPTY], policy, 1)
    assert (started.event, started.next.share) == (Event.ADVANCE, 1)
    live = evidence(comparisons=None)
    assert decide(at(1), [live], policy, LATER).next.share == 10


def test_a_slow_tail_that_a_rank_test_does_not_see_fails() -> None:
    tail = evidence(old=side(99_000, 99, slow=1_000), new=side(10_000, 10, slow=350))
    decision = decide(at(10, last_good=1), [tail], POLICY, 1)
    assert decision.next.share == 1
    assert [v.gate for v in decision.verdicts if v.outcome is Outcome.FAIL] == ["tail"]


def test_one_broken_route_among_many_fails() -> None:
    mixed = evidence(old=side(99_000, 99), new=side(10_000, 20))
    for of, errors, requests in ((mixed.traffic.old, 10, 9_900), (mixed.traffic.new, 30, 200)):
        of.routes["rare"] = side(requests, errors).routes["r"]
    decision = decide(at(10), [mixed], POLICY, 1)
    assert "rare fails on the new side" in decision.next.reason


@given(st.lists(st.sampled_from([GOOD, BAD, UNSURE, EMPTY]), max_size=60), st.data())
def test_flapping_gates_never_exceed_the_last_good_step(ticks: list[Evidence], data: st.DataObject) -> None:
    state, now, ceiling = at(0, Phase.SHADOW), 0.0, 100.0
    for one in ticks:
        now += data.draw(st.sampled_from([1.0, LATER, 1e5]))
        decision = decide(state, [one], POLICY, now)
        if decision.event is Event.FAIL:
            ceiling = min(ceiling, state.last_good)
        state = decision.next
        assert state.share <= ceiling
        if one is not GOOD and decision.next.share > POLICY.steps[0]:
            assert decision.event not in (Event.ADVANCE, Event.TOP)


def test_the_forecast_says_how_long_and_whether_waiting_helps() -> None:
    needed = seconds_needed([evidence(new=side(600), seconds=600)], 1, POLICY)
    assert needed is not None
    assert 600 < needed < 10_000
    longer = evidence(new=side(600), seconds=600).grown(needed / 600 + 1)
    assert seconds_needed([longer], 1, POLICY) == 0
    assert seconds_needed([EMPTY], 1, POLICY) is None
    assert seconds_needed([evidence(comparisons=Comparisons(100_000, 2, open_errors=1))], 1, POLICY) is None
    assert seconds_needed([GOOD], 1, POLICY) == 0


def test_of_several_accounts_the_lowest_share_counts() -> None:
    assert lowest([at(10, version=9), at(1, version=3), at(1, version=4)]).version == 4
    assert SAME.open_errors == 0
