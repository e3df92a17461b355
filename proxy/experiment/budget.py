# SPDX-License-Identifier: AGPL-3.0-or-later
"""How often, and how often at once, a backend may be asked for comparing. Pure: time comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.config.written import Shadow


class Rate:
    """At most `rate` events a second; what was not used is saved up for at most `saved` seconds."""

    __slots__ = ("_at", "_free", "_most", "rate")

    def __init__(self, rate: float, now: float, saved: float = 1.0) -> None:
        self.rate = rate
        self._most = max(rate * saved, 1.0) if rate else 0.0
        self._free = self._most
        self._at = now

    def takes(self, now: float) -> bool:
        """Whether one more event fits now; it is counted then."""
        self._free = min(self._most, self._free + (now - self._at) * self.rate)
        self._at = now
        if self._free < 1.0:
            return False
        self._free -= 1.0
        return True


class Budget:
    """One backend's: requests a second, and requests under way."""

    __slots__ = ("_most", "_rate", "under_way")

    def __init__(self, shadow: Shadow, now: float) -> None:
        self._rate = Rate(shadow.rate, now)
        self._most = shadow.concurrency
        self.under_way = 0

    def begin(self, now: float) -> bool:
        """Whether one more may be asked now; it is under way then, until `end`."""
        if self.under_way >= self._most or not self._rate.takes(now):
            return False
        self.under_way += 1
        return True

    def end(self) -> None:
        """One was answered, or failed."""
        self.under_way -= 1

    def adjust(self, shadow: Shadow, now: float) -> None:
        """Hold to other figures from now on; what is under way counts on."""
        if shadow.rate != self._rate.rate:
            self._rate = Rate(shadow.rate, now)
        self._most = shadow.concurrency
