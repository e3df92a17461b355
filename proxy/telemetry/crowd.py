# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who was counted: how many users there were, and how unevenly errors and latency lie among them.

A bounded, mergeable sketch per group and side, fed with a user's hash of 64 bits:

    bits 56–63   a register of a HyperLogLog: 256 of them tell the number of users within 6.5 %
    bits 50–55   a stratum: 64 random groups of users, each with its requests, errors and latency bins
    bits 0–49    the rank (leading zeros) that the register keeps

A user is always in the same stratum, so what one user does wrong a hundred times shows as one stratum far off the
others, not as a hundred independent errors (`proxy.rollout.statistics` makes a design effect of that).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import msgspec

REGISTERS: Final = 256
STRATA: Final = 64
_ALPHA: Final = 0.7213 / (1 + 1.079 / REGISTERS)  # Flajolet et al., HyperLogLog (2007)


class Crowd(msgspec.Struct):
    """The users of one group on one side, since its share last changed (`epoch` counts that, for users cannot be
    taken out again). `levels[k]` is the sum of the latency bins' numbers over the requests of
    stratum k, `squares` the sum of their squares over all."""

    group: str
    side: str
    epoch: int = 0
    registers: bytearray = msgspec.field(default_factory=lambda: bytearray(REGISTERS))
    requests: list[int] = msgspec.field(default_factory=lambda: [0] * STRATA)
    errors: list[int] = msgspec.field(default_factory=lambda: [0] * STRATA)
    levels: list[int] = msgspec.field(default_factory=lambda: [0] * STRATA)
    squares: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """What it is found by."""
        return self.group, self.side

    @property
    def users(self) -> float:
        """About how many different users were counted."""
        empty = self.registers.count(0)
        estimate = _ALPHA * REGISTERS**2 / sum(2.0**-rank for rank in self.registers)
        if estimate <= 2.5 * REGISTERS and empty:
            return REGISTERS * math.log(REGISTERS / empty)
        return estimate

    def merge(self, other: Crowd) -> None:
        """Add `other`'s counts of the same epoch to this one's; whoever is in both is one user."""
        self.registers = bytearray(map(max, self.registers, other.registers))
        self.requests = [a + b for a, b in zip(self.requests, other.requests, strict=True)]
        self.errors = [a + b for a, b in zip(self.errors, other.errors, strict=True)]
        self.levels = [a + b for a, b in zip(self.levels, other.levels, strict=True)]
        self.squares += other.squares


class Census:
    """Counts the users of a crowd as they come: its lists are the crowd's own, its sum is written there when asked."""

    __slots__ = ("_crowd", "_errors", "_levels", "_registers", "_requests", "_squares")

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._registers = crowd.registers
        self._requests = crowd.requests
        self._errors = crowd.errors
        self._levels = crowd.levels
        self._squares = crowd.squares

    def add(self, user: int, level: int, bad: bool) -> None:
        """Count one request of the user with this hash; `level` is the number of its latency bin."""
        place = user >> 56
        rank = 51 - (user & 0x3_FFFF_FFFF_FFFF).bit_length()
        if rank > self._registers[place]:
            self._registers[place] = rank
        stratum = user >> 50 & 63
        self._requests[stratum] += 1
        self._levels[stratum] += level
        self._squares += level * level
        if bad:
            self._errors[stratum] += 1

    def taken(self) -> Crowd:
        """The crowd as it is now."""
        self._crowd.squares = self._squares
        return self._crowd


def newest(crowds: Iterable[Crowd]) -> list[Crowd]:
    """One crowd for each group and side: the sum of those of its latest epoch."""
    found: dict[tuple[str, str], Crowd] = {}
    for crowd in crowds:
        sum_ = found.get(crowd.key)
        if sum_ is None or sum_.epoch < crowd.epoch:
            sum_ = found[crowd.key] = Crowd(*crowd.key, crowd.epoch)
        if sum_.epoch == crowd.epoch:
            sum_.merge(crowd)
    return list(found.values())
