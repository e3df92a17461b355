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
