# SPDX-License-Identifier: AGPL-3.0-or-later
"""The sentences about what is going on."""

from __future__ import annotations

import pytest

from banyan.demo.admin import Figures, Group, Stats
from banyan.demo.live import Hint, changes, clock, hint, percent, seen

TEXT = """\
groups:
  quiet: {percent: 0, routes: [a#b]}
  reads: {percent: 10, routes: [c#d]}
  rare: {percent: 50, routes: [e#f]}
  done: {percent: 100, routes: [g#h]}
"""
RECORDED = {"quiet": 900, "reads": 80, "rare": 2, "done": 500}


def stats(generation: int = 1, **shares: float) -> Stats:
    return Stats(generation, {name: Group(share) for name, share in shares.items()})


def test_the_hint_names_the_group_on_its_way_that_shows_most() -> None:
    now = stats(3, quiet=0, reads=10, rare=50, done=100)
    assert hint("routing.yaml", TEXT, now, RECORDED) == Hint(
        "Flip a group: routing.yaml line 3, reads, percent: 10 → 100, save.",
        "Then python answers all of reads, as generation 4, and nothing fails.",
    )


def test_where_all_have_arrived_the_hint_is_the_way_back() -> None:
    now = stats(1, quiet=0, done=100)
    assert hint("routing.yaml", TEXT, now, RECORDED) == Hint(
        "Flip a group: routing.yaml line 5, done, percent: 100 → 0, save.",
        "Then legacy answers all of done, as generation 2, and nothing fails.",
    )


@pytest.mark.parametrize("text", ["", "groups: {reads: {percent: 10}}"])
def test_without_a_line_to_name_the_hint_is_general(text: str) -> None:
    assert "change its percent: in routing.yaml" in hint("routing.yaml", text, stats(reads=10), RECORDED).edit


def test_a_new_generation_tells_which_shares_changed() -> None:
    before, after = stats(1, a=10, b=0, c=5), stats(2, a=12.5, b=0, c=0, new=3)
    assert changes(before, after) == "generation 2: a: 10 % → 12.5 %, c: 5 % → 0 %"
    assert changes(before, before) == "generation 1: no share changed"


def test_what_was_seen_is_a_share_of_requests() -> None:
    group = Group(50, {"legacy": Figures(requests=3), "python": Figures(requests=1)})
    assert seen(group, "python") == 0.25
    assert seen(group, "other") is None
    assert seen(Group(50, {"python": Figures()}), "python") is None


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (61, "1:01"), (3661, "1:01:01")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0 %"), (100, "100 %"), (12.5, "12.5 %"), (0.01, "0.01 %")])
def test_percent(value: float, text: str) -> None:
    assert percent(value) == text
