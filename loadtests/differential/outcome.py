# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a proxy did with a probe, and how the proxies differ. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import takewhile
from typing import Final

from loadtests.differential.origin import Seen

EDGE: Final = "edge"
_PLAIN_METHOD: Final = re.compile(r"[A-Z_-]+\Z")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`statuses`: of the final answers that came back; `seen`: by the origin."""

    statuses: tuple[int, ...]
    seen: tuple[Seen, ...]
    ended: bool

    @property
    def passes(self) -> bool:
        """Whether the origin saw the whole of the probe's request: something besides the second one."""
        return any(seen.target != "/second" or seen.host != "second.test" for seen in self.seen)

    @property
    def verdict(self) -> str:
        """In a word."""
        if self.passes:
            return "passed"
        if self.statuses:
            return "refused" if self.statuses[0] >= 400 else "answered"
        return "closed" if self.ended else "waits"

    def meaning(self) -> tuple[tuple[str, str, str, bytes], ...]:
        """What the application understands, up to the first request whose method nginx would not serve.

        The rest of a body that is longer than its request says becomes such a request: the edge and HAProxy serve any
        method that is a token (RFC 9110 §9.1), nginx capital letters only.
        """
        plain = takewhile(lambda seen: _PLAIN_METHOD.match(seen.method), self.seen)
        return tuple((seen.method, seen.target, seen.host, seen.body) for seen in plain)


class Difference(Enum):
    """How the edge stands apart from all others."""

    LETS_THROUGH = "lets_through"
    SEES_OTHERWISE = "sees_otherwise"
    STRICTER = "stricter"


def compare(outcomes: Mapping[str, Outcome]) -> Difference | None:
    """How the edge's outcome differs from those of all the other proxies; None: some other one agrees with it."""
    edge = outcomes[EDGE]
    others = [outcome for name, outcome in outcomes.items() if name != EDGE]
    if edge.passes and not any(other.passes for other in others):
        return Difference.LETS_THROUGH
    if not edge.passes:
        return Difference.STRICTER if all(other.passes for other in others) else None
    meanings = {other.meaning() for other in others if other.passes}
    agreed = len(meanings) == 1 and all(other.passes for other in others)
    return Difference.SEES_OTHERWISE if agreed and edge.meaning() not in meanings else None


def statuses_in(data: bytes) -> tuple[int, ...]:
    """The statuses of the final answers in what a client received."""
    found = []
    at = 0
    while (at := data.find(b"HTTP/1.", at)) >= 0:
        digits = data[at + 9 : at + 12]
        if digits.isdigit() and data[at + 8 : at + 9] == b" " and int(digits) >= 200:
            found.append(int(digits))
        at += 7
    return tuple(found)
