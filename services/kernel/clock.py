# SPDX-License-Identifier: AGPL-3.0-or-later
"""The time, as a parameter."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Tells the moment, in UTC."""


def system_clock() -> datetime:
    """What the machine says."""
    return datetime.now(UTC)


def clock_from(start: datetime | None) -> Clock:
    """A clock that stands at `start` now and runs on from there; the machine's own without a start."""
    if start is None:
        return system_clock
    began = time.monotonic()
    return lambda: start + timedelta(seconds=time.monotonic() - began)


def rails_time(moment: datetime) -> str:
    """A moment as Rails writes it in JSON: UTC, three digits, truncated. Columns hold UTC without saying so."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
