# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a try to sign in leads to, and what a new account must say: pure functions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from services.sessions.model import Login

LOCK_LASTS = timedelta(hours=6)
LONGEST_EMAIL = 200
LONGEST_NAME = 100
LONGEST_USERNAME = 18

_EMAIL = re.compile(r"[^\s@,]+@[^\s@,]+")
_NOT_IN_USERNAMES = re.compile(r"[^a-z0-9]+")
_PLAIN = str.maketrans(
    {"ß": "ss", "æ": "ae", "ø": "o", "đ": "d", "ł": "l", "þ": "th", "ð": "d", "œ": "oe", "ı": "i"}
)


class Outcome(StrEnum):
    """What became of a try with a password."""

    RIGHT = "right"
    WRONG = "wrong"
    """Counted; perhaps it locks."""
    CLOSED = "closed"
    """The password is right, and the account is closed."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a try with a password leads to."""

    outcome: Outcome
    unlocks: bool
    """The time of an old lock is over: it goes first."""


def judge(login: Login, is_right: bool, now: datetime) -> Attempt:
    """Devise's lockable and activatable: a locked account counts on, whatever the password; `now` as in columns."""
    expired = login.locked_at is not None and login.locked_at < now - LOCK_LASTS
    is_locked = login.locked_at is not None and not expired
    if not is_right or is_locked:
        return Attempt(Outcome.WRONG, expired)
    return Attempt(Outcome.RIGHT if login.deactivated_at is None else Outcome.CLOSED, expired)


class Refusal(StrEnum):
    """Why an account may not sign in; the name of the text that tells it."""

    LOCKED = "devise.failure.locked"
    CLOSED = "devise.failure.inactive"


def refusal(login: Login, now: datetime) -> Refusal | None:
    """Why neither a link nor a code lets this account in: locked within the last six hours, or closed; else None."""
    if login.locked_at is not None and login.locked_at >= now - LOCK_LASTS:
        return Refusal.LOCKED
    return Refusal.CLOSED if login.deactivated_at is not None else None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a new account: the name of the text that tells it, and what differs in it."""

    text: str
    values: Mapping[str, str] = field(default_factory=dict)


BLANK = Problem("activerecord.errors.messages.blank")
NO_MAILBOX = Problem("errors.messages.email")
RESERVED = Problem("errors.messages.exclusion")
TAKEN = Problem("errors.messages.taken")
SPAM = Problem("banyan.no_spam")


def _too_long(most: int) -> Problem:
    return Problem("errors.messages.too_long.other", {"count": str(most)})


def normal_email(text: str) -> str:
    """An address as accounts have it."""
    return text.strip().lower()


def email_problems(
    email: str | None, *, is_taken: bool, forbidden: str, spam: re.Pattern[str]
) -> list[Problem]:
    """Why no account can have this address, in Rails' order; nothing where one can."""
    problems: list[Problem] = []
    if not (email or "").strip():
        problems.append(BLANK)
    if not _EMAIL.fullmatch(email or ""):
        problems.append(NO_MAILBOX)
    if len(email or "") > LONGEST_EMAIL:
        problems.append(_too_long(LONGEST_EMAIL))
    if email == forbidden:
        problems.append(RESERVED)
    if is_taken:
        problems.append(TAKEN)
    if spam.search(email or ""):
        problems.append(SPAM)
    return problems


def name_problems(name: str | None, spam: re.Pattern[str]) -> list[Problem]:
    """Why nobody can sign up under this name."""
    problems = [] if (name or "").strip() else [BLANK]
    if len(name or "") > LONGEST_NAME:
        problems.append(_too_long(LONGEST_NAME))
    if spam.search(name or ""):
        problems.append(SPAM)
    return problems


def base_username(email: str) -> str:
    """Plain letters and digits of the address' local part."""
    local = email.partition("@")[0].lower().translate(_PLAIN)
    plain = unicodedata.normalize("NFKD", local).encode("ascii", "ignore").decode()
    return _NOT_IN_USERNAMES.sub("", plain)[:LONGEST_USERNAME]
