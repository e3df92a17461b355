# SPDX-License-Identifier: AGPL-3.0-or-later
"""A few lives with fixed seeds; `python -m loadtests.rollout` lives hundreds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadtests.rollout.lives import BAD, Life, silent, spiky
from loadtests.rollout.run import live
from proxy.rollout.policy import Policy

POLICY = Policy()


@pytest.mark.parametrize(("seed", "sigma"), [(1, 0.5), (2, 1.0)])
def test_good_lives_reach_the_top_within_a_day(seed: int, sigma: float) -> None:
    told = live(Life(sigma=sigma), POLICY, seed, tick=60)
    assert told.full_after is not None
    assert told.full_after < 24 * 3_600
    assert list(told.reached) == [0, 1, 10, 50, 100]


@pytest.mark.parametrize("fault", BAD)
def test_bad_lives_stay_small(fault: str) -> None:
    assert live(BAD[fault], POLICY, 3, tick=120).highest <= 10


def test_a_broken_canary_costs_less_than_a_thousandth() -> None:
    told = live(Life(extra_errors=0.999), POLICY, 4, tick=10)
    assert told.back_after is not None
    assert 0 < told.excess < 0.001


def test_without_traffic_nothing_moves() -> None:
    told = live(Life(shape=silent), POLICY, 5, tick=600)
    assert (told.highest, told.back_after) == (0, None)


def test_little_traffic_is_slower_and_not_wrong() -> None:
    told = live(Life(rate=3), POLICY, 6, tick=300)
    assert told.back_after is None
    assert live(replace(BAD["all 30 % slower"], rate=3), POLICY, 6, tick=300).highest <= 10


def test_spikes_fail_nothing() -> None:
    assert live(Life(shape=spiky), POLICY, 7, tick=120).back_after is None


def test_users_who_repeat_themselves_fool_nobody() -> None:
    assert live(Life(correlated=True), POLICY, 8, tick=300).back_after is None
