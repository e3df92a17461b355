# SPDX-License-Identifier: AGPL-3.0-or-later
"""How often one address may change what: Loomio's limits (its config/initializers/rack_attack.rb).

Counted are POST, PUT and PATCH, per address, prefix of the path, hour and day; the day's limit is three times
the hour's. Counters are those of Rack::Attack 6.8 in the Ruby cache store (`rack::attack:PERIOD:NAME:ADDRESS`,
plain integers that expire with their period), so an address that goes to both sides is counted once for all.

With Redis away nobody is counted and nobody is turned away, as on the other side.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from services.kernel.errors import TooManyRequestsError, UnavailableError

HOURLY = {
    "/api/v1/trials": 10,
    "/api/v1/announcements": 100,
    "/api/v1/groups": 20,
    "/api/v1/templates": 10,
    "/api/v1/login_tokens": 10,
    "/api/v1/membership_requests": 100,
    "/api/v1/memberships": 100,
    "/api/v1/identities": 10,
    "/api/v1/discussions": 100,
    "/api/v1/polls": 100,
    "/api/v1/outcomes": 100,
    "/api/v1/stances": 100,
    "/api/v1/profile": 100,
    "/api/v1/comments": 100,
    "/api/v1/reactions": 100,
    "/api/v1/link_previews": 100,
    "/api/v1/registrations": 10,
    "/api/v1/sessions": 10,
    "/api/v1/contact_messages": 10,
    "/api/v1/contact_requests": 10,
    "/api/v1/discussion_readers": 1000,
    "/rails/active_storage/direct_uploads": 20,
}
"""Prefix of the path → requests an hour."""

HOUR, DAY = 3600, 86_400
METHODS = frozenset(("POST", "PUT", "PATCH"))

Count = Callable[[str, int], Awaitable[int]]
"""Adds one to a counter that expires after so many seconds, unless it has an end already; answers its value.

Raises `UnavailableError`.
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """One counter of an address."""

    name: str
    prefix: str
    most: int
    period: int

    def key(self, address: str, now: int) -> str:
        """Its name in Redis."""
        return f"rack::attack:{now // self.period}:{self.name}:{address}"

    def left(self, now: int) -> int:
        """Seconds until the period ends."""
        return self.period - now % self.period


class RateLimits:
    """The limits of one site."""

    def __init__(self, rates: int = 1, times: int = 1) -> None:
        """`rates` and `times` multiply numbers and periods (`RACK_ATTACK_RATE_MULTPLIER`, `…_TIME_MULTPLIER`)."""
        self._limits = [
            Limit(f"post/ip/{name} {prefix}", prefix, most * share * rates, period * times)
            for name, share, period in (("hour", 1, HOUR), ("day", 3, DAY))
            for prefix, most in HOURLY.items()
        ]

    def of(self, method: str, path: str) -> list[Limit]:
        """The limits that a request counts for."""
        if method not in METHODS:
            return []
        return [one for one in self._limits if path.startswith(one.prefix)]

    async def check(self, method: str, path: str, address: str, now: datetime, count: Count) -> bool:
        """Count a request. False where there was no counting; raises `TooManyRequestsError`."""
        second = int(now.timestamp())
        for limit in self.of(method, path):
            try:
                number = await count(limit.key(address, second), limit.left(second) + 1)
            except UnavailableError:
                return False
            if number > limit.most:
                raise TooManyRequestsError(limit.left(second))
        return True
