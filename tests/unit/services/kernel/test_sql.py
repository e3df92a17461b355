# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files of named statements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.kernel import sql

FILE = Path("somewhere/queries.sql")
TEXT = """
-- name: first
-- What it answers.
SELECT a::bigint, ':not_one' FROM t WHERE b = :b::text AND c IN (:c, :b) AND d = 'it''s :d';

-- name: second
SELECT 1
"""


class Row(msgspec.Struct):
    """A row."""

    a: int


class Recorder:
    """Stands in for the database."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows
        self.seen: list[tuple[str, list[Any]]] = []

    async def fetch(self, statement: sql.Statement, arguments: list[Any]) -> list[Any]:
        """Answer the rows, and note what was asked."""
        self.seen.append((statement.name, arguments))
        return self.rows


class Record(dict[str, Any]):
    """A row as asyncpg has it: by name and by place."""

    def __getitem__(self, key: Any) -> Any:
        return list(self.values())[key] if isinstance(key, int) else super().__getitem__(key)


def queries() -> sql.Queries:
    return sql.Queries(FILE, {one.name: one for one in sql.parse(TEXT, FILE)})


def test_parameters_are_numbered_and_text_is_left_alone() -> None:
    first, second = sql.parse(TEXT, FILE)
    assert (
        first.text
        == "SELECT a::bigint, ':not_one' FROM t WHERE b = $1::text AND c IN ($2, $1) AND d = 'it''s :d'"
    )
    assert (first.parameters, first.line) == (("b", "c"), 2)
    assert (second.name, second.text, second.line) == ("second", "SELECT 1", 6)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELECT 1", r"queries.sql:1: a statement needs"),
        ("-- name: a\n-- name: b\nSELECT 1", r"queries.sql:1: a has no statement"),
        ("-- name: a\nSELECT 1\n-- name: a\nSELECT 2", r"queries.sql:3: a is there twice"),
        ("\n-- name:\nSELECT 1", r"queries.sql:2: a name is missing"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, says: str) -> None:
    with pytest.raises(sql.SqlError, match=says):
        list(sql.parse(text, FILE))


async def test_rows_come_in_the_type_they_are_bound_to() -> None:
    first = queries().many("first", Row)
    db = Recorder([Record(a=1), Record(a=2)])
    assert await first(db, c=3, b="x") == [Row(1), Row(2)]
    assert db.seen == [("first", ["x", 3])]
    one = queries().one("second", Row)
    assert await one(db) == Row(1)
    assert await one(Recorder([])) is None
    assert await queries().values("second", int)(db) == [1, 2]


async def test_parameters_must_be_exactly_the_statements() -> None:
    first = queries().many("first", Row)
    for given in ({}, {"b": 1}, {"b": 1, "c": 2, "d": 3}):
        with pytest.raises(TypeError, match="first takes b, c"):
            await first(Recorder([]), **given)


def test_names_that_are_missing_or_unused_are_known() -> None:
    loaded = queries()
    with pytest.raises(sql.SqlError, match="there is no statement third"):
        loaded.values("third", int)
    loaded.values("second", int)
    assert loaded.unbound() == {"first"}
