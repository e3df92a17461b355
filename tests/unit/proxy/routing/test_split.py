# SPDX-License-Identifier: AGPL-3.0-or-later
"""Shares: exact at both ends, close in between, the same for ever, and monotone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import bucket_of
from tests.unit.proxy.routing.tables import ask, reader, session_cookie, table_of

USERS = 100_000


def moved(percent: float) -> set[int]:
    """Which of 100,000 users are on the new side."""
    table = table_of(f"groups: {{g: {{percent: {percent}, routes: [GET /x]}}}}\n")
    by = reader(None)
    return {user for user in range(USERS) if ask(table, "/x", user=str(user), by=by).side == "python"}


def test_shares_hold_and_nobody_moves_back() -> None:
    one, ten, fifty = moved(1), moved(10), moved(50)
    for percent, users in ((1, one), (10, ten), (50, fifty)):
        assert abs(len(users) / USERS * 100 - percent) <= 0.5
    assert one < ten < fifty


def test_zero_and_hundred_are_exact() -> None:
    assert moved(0) == set()
    assert len(moved(100)) == USERS


@given(st.text(max_size=20), st.integers(0, 10_000), st.integers(0, 10_000))
def test_raising_a_share_moves_nobody_back(user: str, low: int, high: int) -> None:
    low, high = sorted((low, high))
    before, after = (
        ask(
            table_of(f"groups: {{g: {{percent: {share / 100:.2f}, routes: [GET /x]}}}}\n"), "/x", user=user
        ).side
        for share in (low, high)
    )
    assert (before, after) != ("python", "legacy")


@given(st.binary(max_size=40))
def test_a_bucket_is_one_of_ten_thousand_for_ever(subject: bytes) -> None:
    assert bucket_of(b"s1", subject) == bucket_of(b"s1", subject)
    assert 0 <= bucket_of(b"s1", subject) < 10_000


def test_buckets_never_change_from_release_to_release() -> None:
    # Changing these numbers would move users between sides on an upgrade.
    assert [bucket_of(b"s1", b"user:%d" % user) for user in (1, 2, 42)] == [6678, 7842, 1308]


def test_salts_draw_independently() -> None:
    both = sum(
        bucket_of(b"a", b"user:%d" % user) < 5000 and bucket_of(b"b", b"user:%d" % user) < 5000
        for user in range(20_000)
    )
    assert both / 20_000 == pytest.approx(0.25, abs=0.02)


def test_a_user_has_one_side_over_generations_and_groups() -> None:
    text = "groups: {a: {percent: 30, routes: [GET /a]}, b: {percent: 30, routes: [GET /b]}}\n"
    first, second = table_of(text, 1), table_of(text.replace("/b]", "/b, GET /c]"), 2)
    for user in range(200):
        cookies = session_cookie(user, nonce=user)
        sides = {ask(table, path, cookies=cookies).side for table in (first, second) for path in ("/a", "/b")}
        assert len(sides) == 1
