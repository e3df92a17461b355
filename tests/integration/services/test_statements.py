# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every statement fits the recorded schema and the Python types it is bound to, and has a user."""

from __future__ import annotations

import types
import typing
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
import pytest

from services.app import application
from services.kernel import sql

PYTHON_OF = {
    "int2": int,
    "int4": int,
    "int8": int,
    "bool": bool,
    "text": str,
    "varchar": str,
    "timestamp": datetime,
    "jsonb": Any,
}
"""What asyncpg and our codecs make of a column."""


def bare(annotation: Any) -> Any:
    """The type that is left when null is put aside."""
    if isinstance(annotation, types.UnionType):
        (one,) = (part for part in typing.get_args(annotation) if part is not type(None))
        return one
    return annotation


def expected(bound: sql.Many[Any] | sql.One[Any] | sql.Values[Any]) -> list[tuple[str | None, Any]]:
    """Names and types of the columns that the Python side reads; a single value may have any name."""
    if isinstance(bound, sql.Values):
        return [(None, bound.scalar)]
    hints = typing.get_type_hints(bound.row)
    return [(field.name, bare(hints[field.name])) for field in msgspec.structs.fields(bound.row)]


def all_bound() -> list[Any]:
    assert application.ROUTES  # importing the application loads every vertical
    return [
        pytest.param(bound, id=f"{queries.file.parent.name}.{name}")
        for queries in sql.loaded()
        for name, bound in queries.bound.items()
    ]


@pytest.mark.parametrize("bound", all_bound())
async def test_columns_are_what_the_row_says(
    bound: sql.Many[Any] | sql.One[Any] | sql.Values[Any], database_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        prepared = await connection.prepare(bound.statement.text)
        columns = [
            (None if isinstance(bound, sql.Values) else column.name, PYTHON_OF[column.type.name])
            for column in prepared.get_attributes()
        ]
    finally:
        await connection.close()
    assert columns == expected(bound), f"{bound.statement.file}:{bound.statement.line}"


def test_every_statement_has_a_user() -> None:
    for queries in sql.loaded():
        assert queries.unbound() == set(), queries.file
