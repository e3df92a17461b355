# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a playback misbehaves when it is told to: late, wrong, silent, or gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import NamedTuple, Protocol

from contracts.playback.http1 import Asked


class Fault(StrEnum):
    """What may go wrong with one request."""

    ERROR = "error"
    """A well-formed answer 500 in place of the recorded one."""
    HANG = "hang"
    """No answer, and the connection stays open."""
    STALL = "stall"
    """Half of the answer, then silence."""
    RESET = "reset"
    """Half of the answer, then a reset connection."""
    CUT = "cut"
    """Half of the answer, then an orderly end of the connection."""
    DROP = "drop"
    """The connection is reset without a byte."""
    GARBAGE = "garbage"
    """Bytes that are not HTTP, then the end."""


class Outcome(NamedTuple):
    """What is to happen with one request: seconds until the answer, and what is wrong with it."""

    delay: float = 0.0
    fault: Fault | None = None


class Conduct(Protocol):
    """Decides how a playback behaves."""

    def refuses_connection(self) -> bool:
        """Whether a connection that was just made is reset at once."""

    def outcome(self, asked: Asked) -> Outcome:
        """What is to happen with this request."""


@dataclass(frozen=True)
class Faults:
    """Misbehaves by chance, drawn from `random`.

    `latency` is waited before every answer, in seconds; `jitter` is the mean of an exponentially distributed
    addition. `rates` are shares of requests (0 to 1, together at most 1), `refused` a share of connections.
    """

    random: Random = field(default_factory=lambda: Random(0))
    latency: float = 0.0
    jitter: float = 0.0
    rates: Mapping[Fault, float] = field(default_factory=dict)
    refused: float = 0.0

    def __post_init__(self) -> None:
        shares = [*self.rates.values(), self.refused]
        if any(not 0 <= share <= 1 for share in shares) or sum(self.rates.values()) > 1:
            raise ValueError("shares lie between 0 and 1, and those of faults add up to at most 1")
        if self.latency < 0 or self.jitter < 0:
            raise ValueError("latency and jitter are not negative")

    def refuses_connection(self) -> bool:
        """Draws whether a new connection is reset."""
        return self.refused > 0 and self.random.random() < self.refused

    def outcome(self, asked: Asked) -> Outcome:
        """Draws delay and fault."""
        delay = self.latency + (self.random.expovariate(1 / self.jitter) if self.jitter else 0.0)
        if not self.rates:
            return Outcome(delay)
        draw = self.random.random()
        for fault, rate in self.rates.items():
            draw -= rate
            if draw < 0:
                return Outcome(delay, fault)
        return Outcome(delay)


@dataclass(frozen=True)
class Scripted:
    """Misbehaves as `script` says for each request; connections are always taken."""

    script: Callable[[Asked], Outcome]

    def refuses_connection(self) -> bool:
        """Never."""
        return False

    def outcome(self, asked: Asked) -> Outcome:
        """What the script says."""
        return self.script(asked)
