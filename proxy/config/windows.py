# SPDX-License-Identifier: AGPL-3.0-or-later
"""Change windows: `mon-fri 09:00-16:30`, the days and hours in which shares may be raised."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = "|".join(_DAYS)
_TIME: Final = r"(?:[01]\d|2[0-3]):[0-5]\d|24:00"
PATTERN: Final = rf"(?:({_DAY})(?:-({_DAY}))? )?({_TIME})-({_TIME})"


class Window(NamedTuple):
    """Weekdays (Monday is 0) and minutes of the day, the last one excluded."""

    days: frozenset[int]
    start: int
    end: int

    def holds(self, local: datetime) -> bool:
        """Whether a local time lies in it."""
        return local.weekday() in self.days and self.start <= local.hour * 60 + local.minute < self.end


def read_window(text: str) -> Window:
    """A window as written. Raises ValueError where it is none, or empty."""
    found = re.fullmatch(PATTERN, text)
    if found is None:
        raise ValueError(f"{text!r} is not a window such as mon-fri 09:00-16:30")
    first, last = found[1] or "mon", found[2] or found[1] or "sun"
    begin, until = _DAYS.index(first), _DAYS.index(last)
    start, end = _minutes(found[3]), _minutes(found[4])
    if start >= end:
        raise ValueError(f"{text!r} ends before it begins; write one window before midnight and one after")
    days = frozenset((begin + day) % 7 for day in range((until - begin) % 7 + 1))
    return Window(days, start, end)


def check_window(text: str) -> str | None:
    """Complaint about a window as written."""
    try:
        read_window(text)
    except ValueError as error:
        return str(error)
    return None


def check_timezone(text: str) -> str | None:
    """Complaint about the name of a time zone."""
    try:
        ZoneInfo(text)
    except (ValueError, OSError, KeyError):
        return f"{text!r} is no time zone that this machine knows"
    return None


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
