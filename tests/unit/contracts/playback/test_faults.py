# SPDX-License-Identifier: AGPL-3.0-or-later
"""Misbehaving by chance and by script."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from contracts.playback import Fault, Faults, Outcome, Scripted
from contracts.playback.http1 import Asked

ASKED = Asked("GET", "/", "HTTP/1.1", {}, b"")


def test_no_fault_is_the_default() -> None:
    assert Faults().outcome(ASKED) == Outcome()
    assert not Faults().refuses_connection()


def test_faults_come_as_often_as_told() -> None:
    faults = Faults(random=Random(1), rates={Fault.ERROR: 0.2, Fault.RESET: 0.1}, refused=0.5)
    drawn = Counter(faults.outcome(ASKED).fault for _ in range(10_000))
    assert set(drawn) == {None, Fault.ERROR, Fault.RESET}
    assert 1_800 < drawn[Fault.ERROR] < 2_200
    assert 850 < drawn[Fault.RESET] < 1_150
    assert 4_700 < sum(faults.refuses_connection() for _ in range(10_000)) < 5_300


def test_latency_is_waited_and_jitter_added() -> None:
    assert Faults(latency=0.25).outcome(ASKED) == Outcome(0.25)
    faults = Faults(random=Random(1), latency=1.0, jitter=0.1)
    delays = [faults.outcome(ASKED).delay for _ in range(2_000)]
    assert min(delays) >= 1.0
    assert 1.08 < sum(delays) / len(delays) < 1.12


def test_the_same_seed_gives_the_same_faults() -> None:
    first, second = (Faults(random=Random(7), rates={Fault.HANG: 0.5}, jitter=1) for _ in range(2))
    assert [first.outcome(ASKED) for _ in range(20)] == [second.outcome(ASKED) for _ in range(20)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"rates": {Fault.ERROR: 0.6, Fault.CUT: 0.6}},
        {"rates": {Fault.ERROR: -0.1}},
        {"refused": 1.1},
        {"latency": -1.0},
        {"jitter": -1.0},
    ],
)
def test_impossible_shares_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"shares|negative"):
        Faults(**wrong)


def test_a_script_decides_by_request() -> None:
    script = Scripted(lambda asked: Outcome(0, Fault.CUT if asked.target == "/" else None))
    assert script.outcome(ASKED).fault is Fault.CUT
    assert not script.refuses_connection()
