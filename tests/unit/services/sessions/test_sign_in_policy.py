# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a try to sign in leads to, in every combination."""

from __future__ import annotations

import itertools
import re
from datetime import datetime, timedelta

import pytest

from services.kernel.texts import VALUES
from services.sessions.model import Login
from services.sessions.policy import (
    Attempt,
    Outcome,
    Refusal,
    base_username,
    email_problems,
    judge,
    name_problems,
    refusal,
)

NOW = datetime(2031, 5, 1, 12)  # noqa: DTZ001 (as columns have it)
NEVER, LATELY, LONG_AGO = None, NOW - timedelta(hours=5), NOW - timedelta(hours=7)
NO_SPAM = re.compile("spam")


def login(locked_at: datetime | None, deactivated_at: datetime | None) -> Login:
    return Login(1, "a@b.example", True, "digest", 0, locked_at, deactivated_at, None, "A", False)


@pytest.mark.parametrize(
    ("is_right", "locked_at", "is_closed"),
    list(itertools.product((True, False), (NEVER, LATELY, LONG_AGO), (True, False))),
)
def test_every_try(is_right: bool, locked_at: datetime | None, is_closed: bool) -> None:
    tried = judge(login(locked_at, NOW if is_closed else None), is_right, NOW)
    when_right = Outcome.CLOSED if is_closed else Outcome.RIGHT
    expected = when_right if is_right and locked_at is not LATELY else Outcome.WRONG
    assert tried == Attempt(expected, unlocks=locked_at is LONG_AGO)


def test_links_and_codes_open_neither_closed_nor_locked_accounts() -> None:
    cases = itertools.product((NEVER, LATELY, LONG_AGO), (None, NOW))
    assert {(locked, closed): refusal(login(locked, closed), NOW) for locked, closed in cases} == {
        (NEVER, None): None,
        (NEVER, NOW): Refusal.CLOSED,
        (LATELY, None): Refusal.LOCKED,
        (LATELY, NOW): Refusal.LOCKED,
        (LONG_AGO, None): None,
        (LONG_AGO, NOW): Refusal.CLOSED,
    }


@pytest.mark.parametrize(
    ("email", "number"),
    [(None, 2), ("", 2), ("nonsense", 1), ("a b@c.example", 1), ("a@b.example", 0), ("x@spam.example", 1),
     ("decide@here.example", 1), ("a" * 200 + "@b.example", 1)],
)  # fmt: skip
def test_addresses_that_no_account_can_have(email: str | None, number: int) -> None:
    problems = email_problems(email, is_taken=False, forbidden="decide@here.example", spam=NO_SPAM)
    assert len(problems) == number
    assert all(one.text in VALUES and one.values.keys() == VALUES[one.text] for one in problems)
    taken = email_problems(email, is_taken=True, forbidden="decide@here.example", spam=NO_SPAM)
    assert len(taken) == number + 1


def test_names_that_nobody_can_have() -> None:
    assert [len(name_problems(name, NO_SPAM)) for name in (None, " ", "Fern", "x" * 101, "spam")] == [
        1,
        1,
        0,
        1,
        1,
    ]


@pytest.mark.parametrize(
    ("email", "name"),
    [("Fern.Field@x.example", "fernfield"), ("žluťoučký+kůň@x.example", "zlutouckykun"), ("Đỗ@x.example", "do"),
     ("0123456789012345678@x", "012345678901234567"), ("日本@x.example", "")],
)  # fmt: skip
def test_usernames_are_plain_letters_of_the_address(email: str, name: str) -> None:
    assert base_username(email) == name
