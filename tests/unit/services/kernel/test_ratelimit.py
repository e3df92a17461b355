# SPDX-License-Identifier: AGPL-3.0-or-later
"""Limits per address, in Rack::Attack's own counters."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from services.kernel.errors import TooManyRequestsError, UnavailableError
from services.kernel.ratelimit import DAY, HOUR, RateLimits

NOW = datetime(2031, 5, 1, 12, 59, 30, tzinfo=UTC)
SECOND = int(NOW.timestamp())


class Counters:
    """Counts as Redis does."""

    def __init__(self) -> None:
        self.values: Counter[str] = Counter()
        self.ends: dict[str, int] = {}

    async def __call__(self, key: str, seconds: int) -> int:
        self.values[key] += 1
        self.ends.setdefault(key, seconds)
        return self.values[key]


async def test_the_eleventh_sign_in_of_an_hour_is_refused_until_the_hour_ends() -> None:
    counters, limits = Counters(), RateLimits()
    for _ in range(10):
        assert await limits.check("POST", "/api/v1/sessions", "203.0.113.7", NOW, counters)
    with pytest.raises(TooManyRequestsError) as caught:
        await limits.check("POST", "/api/v1/sessions.json", "203.0.113.7", NOW, counters)
    assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "30"})
    assert await limits.check("POST", "/api/v1/sessions", "203.0.113.8", NOW, counters)


async def test_counters_are_those_of_the_other_side() -> None:
    counters = Counters()
    await RateLimits().check("PATCH", "/api/v1/comments/7", "203.0.113.7", NOW, counters)
    assert counters.ends == {
        f"rack::attack:{SECOND // HOUR}:post/ip/hour /api/v1/comments:203.0.113.7": 31,
        f"rack::attack:{SECOND // DAY}:post/ip/day /api/v1/comments:203.0.113.7": DAY - SECOND % DAY + 1,
    }


async def test_the_day_has_three_times_the_hours_number() -> None:
    counters, limits = Counters(), RateLimits()
    day = f"rack::attack:{SECOND // DAY}:post/ip/day /api/v1/sessions:x"
    counters.values[day] = 30
    with pytest.raises(TooManyRequestsError):
        await limits.check("POST", "/api/v1/sessions", "x", NOW, counters)


async def test_reading_deleting_and_other_paths_are_not_counted() -> None:
    counters, limits = Counters(), RateLimits()
    for method, path in (
        ("GET", "/api/v1/sessions"),
        ("DELETE", "/api/v1/sessions"),
        ("POST", "/api/v1/tags"),
    ):
        assert await limits.check(method, path, "x", NOW, counters)
    assert not counters.values


async def test_operators_multiply_numbers_and_periods() -> None:
    counters, limits = Counters(), RateLimits(rates=2, times=3)
    for _ in range(20):
        await limits.check("POST", "/api/v1/sessions", "x", NOW, counters)
    with pytest.raises(TooManyRequestsError):
        await limits.check("POST", "/api/v1/sessions", "x", NOW, counters)
    assert f"rack::attack:{SECOND // (3 * HOUR)}:post/ip/hour /api/v1/sessions:x" in counters.values


async def test_without_counters_nobody_is_turned_away() -> None:
    async def away(_key: str, _seconds: int) -> int:
        raise UnavailableError

    assert not await RateLimits().check("POST", "/api/v1/sessions", "x", NOW, away)
