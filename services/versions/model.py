# SPDX-License-Identifier: AGPL-3.0-or-later
"""A version, and the record it is of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec


class Version(msgspec.Struct, frozen=True):
    """A row of `versions`, with the id of the one before."""

    id: int
    whodunnit: int | None
    created_at: datetime | None
    item_id: int
    item_type: str
    object_changes: Any
    previous_id: int | None


@dataclass(frozen=True, slots=True)
class Item:
    """The record whose history is asked for, and whether the actor may see it."""

    type: str
    """The model's name, such as `Discussion`."""
    id: int
    is_shown: bool
