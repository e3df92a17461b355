# SPDX-License-Identifier: AGPL-3.0-or-later
"""A reaction, and the records that a request asks about."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec


class Reaction(msgspec.Struct, frozen=True):
    """A row of `reactions`."""

    id: int
    reaction: str
    reactable_id: int | None
    reactable_type: str
    user_id: int | None


@dataclass(frozen=True, slots=True)
class Reactables:
    """Records that people may react to, by kind."""

    comments: list[int]
    discussions: list[int]
    outcomes: list[int]
    polls: list[int]
    stances: list[int]


class ReactionFacts(msgspec.Struct, frozen=True):
    """What decides what one actor may do with one reaction."""

    am_author: bool
    am_signed_in: bool
    may_show_record: bool
    """What the ability to show the record says that it is on; for votes and outcomes, their poll."""
