# SPDX-License-Identifier: AGPL-3.0-or-later
"""The time of day, which a replay of recordings sets back to when they were made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta


def wall_clock(environ: Mapping[str, str]) -> Callable[[], datetime]:
    """A clock in UTC. `BANYAN_NOW` (ISO 8601) starts it at that moment; it runs on from there.

    Raises ValueError naming the setting when it is no time.
    """
    written = environ.get("BANYAN_NOW")
    if not written:
        return lambda: datetime.now(UTC)
    try:
        start = datetime.fromisoformat(written)
    except ValueError:
        raise ValueError(f"BANYAN_NOW is not an ISO 8601 time: {written!r}") from None
    if start.tzinfo is None:
        start = start.replace(tzinfo=UTC)
    offset: timedelta = start - datetime.now(UTC)
    return lambda: datetime.now(UTC) + offset
