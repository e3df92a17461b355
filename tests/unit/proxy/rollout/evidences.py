# SPDX-License-Identifier: AGPL-3.0-or-later
"""Evidence for tests, in a line."""

from __future__ import annotations

from proxy.rollout.evidence import BINS, Comparisons, Evidence, Recent, Sample, Side, Traffic
from proxy.telemetry.crowd import REGISTERS, STRATA, Crowd

FAST, SLOW = 20, 40
"""Two latency bins."""


def side(requests: int, errors: int = 0, *, slow: int = 0, users: int = 64, route: str = "r") -> Side:
    """Requests spread evenly over so many random groups of users; `slow` of them in a slow bin."""
    crowd = Crowd("g", "s")
    if users:
        crowd.registers = bytearray(1 if at < min(users * 4, REGISTERS) else 0 for at in range(REGISTERS))
    groups = min(users, STRATA) or 1
    mean = (FAST * (requests - slow) + SLOW * slow) / requests if requests else 0
    for number in range(groups):
        crowd.requests[number] = requests // groups + (number < requests % groups)
        crowd.errors[number] = errors // groups + (number < errors % groups)
        crowd.levels[number] = round(crowd.requests[number] * mean)
    crowd.squares = FAST**2 * (requests - slow) + SLOW**2 * slow
    bins = [0.0] * BINS
    bins[FAST], bins[SLOW] = requests - slow, slow
    return Side({route: Sample(requests, errors, bins)} if requests else {}, crowd)


def burst(errors: int, requests: int, groups: int = 10) -> Recent:
    """So many failures just now, spread over so many random groups of users."""
    recent = Recent()
    for number in range(groups):
        recent.requests[number] = requests / groups
        recent.errors[number] = errors / groups
    return recent


SAME = Comparisons(compared=100_000, differing=2)


def evidence(
    old: Side | None = None,
    new: Side | None = None,
    comparisons: Comparisons | None = SAME,
    *,
    build: str = "b1",
    seconds: float = 1800,
    now: float = 0,
) -> Evidence:
    """A group's evidence."""
    traffic = Traffic(old or side(99_000, 99), new or side(10_000, 10))
    return Evidence("g", build, seconds, now, traffic, comparisons)


GOOD = evidence()
BAD = evidence(new=side(10_000, 300))
UNSURE = evidence(new=side(300))
EMPTY = evidence(side(0, users=0), side(0, users=0), None)
