# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is going on right now, as the views need it; and the sentences that both of them say. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from banyan.demo.admin import NO_GROUP, Finding, Group, Stats
from banyan.demo.routing_file import share_of
from banyan.demo.tally import Tally

SIDES: Final = ("legacy", "python")
"""The backends of the shipped routing file. A demo in which one of them got nothing has shown nothing."""


class Hint(NamedTuple):
    """How to move a group, and what will be seen then."""

    edit: str
    effect: str


@dataclass(slots=True)
class Live:
    """The state of a demo. `rejected` is what is wrong with the routing file on disk, empty where nothing is."""

    edge_url: str
    config: str
    seconds: float | None
    elapsed: float = 0.0
    tally: Tally = field(default_factory=Tally)
    stats: Stats = field(default_factory=lambda: Stats(1))
    rejected: tuple[Finding, ...] = ()
    hint: Hint | None = None
    events: list[str] = field(default_factory=list)

    @property
    def clock(self) -> str:
        """How far it is."""
        return clock(self.elapsed) + (f" of {clock(self.seconds)}" if self.seconds is not None else "")


def clock(seconds: float) -> str:
    """Minutes and seconds, hours where there are any."""
    minutes, rest = divmod(math.floor(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def percent(value: float) -> str:
    """A share for reading: no more digits than it has."""
    return f"{value:.2f}".rstrip("0").rstrip(".") + " %"


def name_of(group: str) -> str:
    """A group's name for reading."""
    return "in no group" if group == NO_GROUP else group


def is_moving(group: Group) -> bool:
    """Whether some of it goes to the new side."""
    return bool(group.percent)


def seen(group: Group, side: str) -> float | None:
    """The share (0 to 1) of a group's requests that went to `side`; None where there were none."""
    requests = sum(figures.requests for figures in group.sides.values())
    return group.sides[side].requests / requests if requests and side in group.sides else None


def changes(before: Stats, after: Stats) -> str:
    """What a new generation brought: the shares that changed."""
    moved = [
        f"{name}: {percent(before.groups[name].percent or 0.0)} → {percent(group.percent or 0.0)}"
        for name, group in after.groups.items()
        if name in before.groups and before.groups[name].percent != group.percent
    ]
    return f"generation {after.generation}: {', '.join(moved) or 'no share changed'}"


def hint(config: str, text: str, stats: Stats, recorded: Mapping[str, int]) -> Hint:
    """What to try: the group that is on its way with the most `recorded` requests, and where its share stands.

    `text` is the content of the routing file `config`. Without a group on its way, one that has arrived.
    """
    moving = [name for name, group in stats.groups.items() if is_moving(group) and recorded.get(name)]
    moving.sort(key=lambda name: (stats.groups[name].percent == 100, -recorded[name]))
    for name in moving:
        share = share_of(text, name)
        if share is not None:
            goal, side = ("100", SIDES[1]) if float(share.percent) < 100 else ("0", SIDES[0])
            return Hint(
                f"Flip a group: {config} line {share.line}, {name}, percent: {share.percent} → {goal}, save.",
                f"Then {side} answers all of {name}, as generation {stats.generation + 1}, and nothing fails.",
            )
    return Hint(
        f"Flip a group: change its percent: in {config} and save.",
        f"Its share moves, as generation {stats.generation + 1}.",
    )
