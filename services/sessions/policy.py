# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a try to sign in leads to, and what a new account must say: pure functions."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
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


def may_sign_in(login: Login, now: datetime) -> bool:
    """Whether a link or a code lets this account in: not closed, and not locked within the last six hours."""
    is_locked = login.locked_at is not None and login.locked_at >= now - LOCK_LASTS
    return login.deactivated_at is None and not is_locked


def normal_email(text: str) -> str:
    """An address as accounts have it."""
    return text.strip().lower()


def email_problems(email: str | None, *, is_taken: bool, forbidden: str, spam: re.Pattern[str]) -> list[str]:
    """Why no account can have this address, in Rails' order; nothing where one can."""
    problems: list[str] = []
    if not (email or "").strip():
        problems.append("can't be blank")
    if not _EMAIL.fullmatch(email or ""):
        problems.append("is not the address of a mailbox")
    if len(email or "") > LONGEST_EMAIL:
        problems.append(f"is too long (maximum is {LONGEST_EMAIL} characters)")
    if email == forbidden:
        problems.append("is reserved")
    if is_taken:
        problems.append("has already been taken")
    if spam.search(email or ""):
        problems.append("no spam")
    return problems


def name_problems(name: str | None, spam: re.Pattern[str]) -> list[str]:
    """Why nobody can sign up under this name."""
    problems = [] if (name or "").strip() else ["can't be blank"]
    if len(name or "") > LONGEST_NAME:
        problems.append(f"is too long (maximum is {LONGEST_NAME} characters)")
    if spam.search(name or ""):
        problems.append("no spam")
    return problems


def base_username(email: str) -> str:
    """Plain letters and digits of the address' local part."""
    local = email.partition("@")[0].lower().translate(_PLAIN)
    plain = unicodedata.normalize("NFKD", local).encode("ascii", "ignore").decode()
    return _NOT_IN_USERNAMES.sub("", plain)[:LONGEST_USERNAME]
