# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which of several things is which recorded one: by what they say. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

_Recorded = TypeVar("_Recorded")
_Own = TypeVar("_Own")


class Pairing(NamedTuple):
    """Places of the recorded and of their own counterparts; recorded that are missing; own that are extra."""

    pairs: list[tuple[int, int]]
    missing: list[int]
    extra: list[int]

    @property
    def in_order(self) -> bool:
        """Whether the counterparts come in the recorded order."""
        own = [other for _, other in sorted(self.pairs)]
        return own == sorted(own)


def pair(recorded: Sequence[_Recorded], own: Sequence[_Own], distance: Callable[[int, int], int]) -> Pairing:
    """Pair those that are nearest first; `distance` takes their places. Ties go to those that stand alike."""
    if len(recorded) == len(own) and all(distance(place, place) == 0 for place in range(len(own))):
        return Pairing([(place, place) for place in range(len(own))], [], [])
    trials = sorted(
        (distance(place, other), abs(place - other), place, other)
        for place in range(len(recorded))
        for other in range(len(own))
    )
    pairs: list[tuple[int, int]] = []
    left, left_own = set(range(len(recorded))), set(range(len(own)))
    for _, _, place, other in trials:
        if place in left and other in left_own:
            left.remove(place)
            left_own.remove(other)
            pairs.append((place, other))
    return Pairing(sorted(pairs), sorted(left), sorted(left_own))
