# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who was counted: distinct users within a few percent, mergeable, and one epoch at a time."""

from __future__ import annotations

from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.telemetry.crowd import Census, Crowd, newest
from proxy.telemetry.metrics import Recorder, Snapshot, total


def user(number: int) -> int:
    return int.from_bytes(blake2b(str(number).encode(), digest_size=8).digest(), "big")


@pytest.mark.parametrize("count", [0, 1, 10, 100, 1_000, 30_000])
def test_distinct_users_are_estimated_within_three_standard_errors(count: int) -> None:
    census = Census(Crowd("g", "python"))
    for number in range(count):
        for _ in range(2 if count < 1_000 else 1):
            census.add(user(number), 10, False)
    assert census.taken().users == pytest.approx(count, rel=0.2, abs=0.5)


def test_users_below_a_small_share_are_told_apart_as_well() -> None:
    census = Census(Crowd("g", "python"))
    drawn = [one for one in map(user, range(200_000)) if one % 10_000 < 5]  # a share of 0.05 %
    for one in drawn:
        census.add(one, 10, False)
    assert census.taken().users == pytest.approx(len(drawn), rel=0.2)


@given(
    st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 60), st.booleans()), max_size=60), st.data()
)
def test_two_halves_merge_to_the_whole(requests: list[tuple[int, int, bool]], data: st.DataObject) -> None:
    whole, *halves = (Census(Crowd("g", "s")) for _ in range(3))
    for one in requests:
        whole.add(*one)
        halves[data.draw(st.integers(0, 1))].add(*one)
    merged = halves[0].taken()
    merged.merge(halves[1].taken())
    assert merged == whole.taken()


def test_a_user_is_always_in_the_same_stratum() -> None:
    census = Census(Crowd("g", "s"))
    for level in range(5):
        census.add(user(7), level, True)
    crowd = census.taken()
    assert max(crowd.errors) == max(crowd.requests) == 5
    assert max(crowd.levels) == 10
    assert crowd.squares == 30


def test_only_the_latest_epoch_counts() -> None:
    old, new, more = Crowd("g", "s", 1), Crowd("g", "s", 2), Crowd("g", "s", 2)
    for number, crowd in enumerate((old, new, more)):
        census = Census(crowd)
        census.add(user(number), 1, False)
        census.taken()
    (left,) = newest([new, old, more])
    assert (left.epoch, sum(left.requests)) == (2, 2)
    assert total([Snapshot(crowds=[old]), Snapshot(crowds=[new])]).crowds == [new]


def test_stragglers_of_an_earlier_epoch_do_not_bring_it_back() -> None:
    recorder = Recorder()
    now = recorder.census("g", "s", 2)
    recorder.census("g", "s", 1).add(user(1), 1, True)
    assert recorder.census("g", "s", 2) is now
    assert sum(now.taken().requests) == 0
