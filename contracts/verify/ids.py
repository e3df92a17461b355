# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ids of new rows, told in the recording's own: they shift where an implementation inserts in another order. Pure.

Which table an id belongs to is read from where it stands: `comment_id`, `eventable_type` beside `eventable_id`, the
root list that a record lies in. Where that says nothing, an id is translated only if every table would do so alike.
"""

from __future__ import annotations

import re
from typing import Any

_IN_URL = re.compile(r"(?P<name>[a-z_]+)(?P<between>_id=|/)(?P<id>\d+)(?!\w)")
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


class Ids:
    """Table → own id → the id that the recording has for the same row."""

    def __init__(self, tables: dict[str, dict[int, int]]) -> None:
        self._tables = tables

    def __eq__(self, other: object) -> bool:
        """Whether they say the same."""
        return isinstance(other, Ids) and self._tables == other._tables

    __hash__ = None  # type: ignore[assignment] # compared, never a key

    @property
    def shifted(self) -> bool:
        """Whether any id differs; else nothing has to be translated."""
        return any(own != recorded for ids in self._tables.values() for own, recorded in ids.items())

    def translated(self, value: Any, table: str | None = None) -> Any:
        """A value with the recording's ids; `table` is where a record of it lies, if that is known."""
        if isinstance(value, dict):
            return {name: self._member(value, name, one, table) for name, one in value.items()}
        if isinstance(value, list):
            return [self.translated(one, table) for one in value]
        if isinstance(value, str) and ("/" in value or "_id=" in value):
            return _IN_URL.sub(self._in_url, value)
        return value

    def _member(self, record: dict[str, Any], name: str, value: Any, table: str | None) -> Any:
        if name == "id" and _is_id(value):
            kind = record.get("type")
            return self._id(value, table_of(kind) if isinstance(kind, str) else table)
        if name.endswith(("_id", "_ids")):
            kind = record.get(f"{name.removesuffix('_id')}_type")
            plural = table_of(kind) if isinstance(kind, str) else f"{name.rpartition('_')[0]}s"
            return self._ids(value, plural if plural in self._tables else None)
        if name == "object_changes" and isinstance(record.get("item_type"), str):
            return self._changes(value, table_of(record["item_type"]))
        return self.translated(value, name.removeprefix("parent_"))

    def _changes(self, value: Any, table: str) -> Any:
        """What a version tells: per column, what it was and became."""
        if not isinstance(value, dict):
            return value
        return {
            name: self._ids(change, table) if name == "id" else self._member({}, name, change, table)
            for name, change in value.items()
        }

    def _ids(self, value: Any, table: str | None) -> Any:
        if isinstance(value, list):
            return [self._ids(one, table) for one in value]
        return self._id(value, table) if _is_id(value) else value

    def _id(self, own: int, table: str | None) -> int:
        if table is not None:
            return self._tables.get(table, {}).get(own, own)
        meant = {ids[own] for ids in self._tables.values() if own in ids}
        return meant.pop() if len(meant) == 1 else own

    def _in_url(self, found: re.Match[str]) -> str:
        name = found["name"]
        table = name if name in self._tables else f"{name}s"
        own = int(found["id"])
        return f"{name}{found['between']}{self._tables.get(table, {}).get(own, own)}"


def table_of(name: str) -> str:
    """The table of a class as Rails names it: `MembershipRequest` → `membership_requests`."""
    return f"{_WORD.sub('_', name).lower()}s"


def _is_id(value: Any) -> bool:
    return type(value) is int
