# SPDX-License-Identifier: AGPL-3.0-or-later
"""Types that every part of the edge shares. Pure: no I/O, no third-party imports."""

from __future__ import annotations

from dataclasses import dataclass


class Malformed(Exception):  # noqa: N818 - reads as what it says: "except Malformed"
    """A peer broke HTTP's rules. `code` is stable (logs, metrics); `status` is what a client is answered."""

    def __init__(self, code: str, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.status = status


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """How much of a head is read before it is refused: bytes of the whole, bytes of the target, header lines."""

    head_bytes: int = 32_768
    target_bytes: int = 8_192
    header_count: int = 100
