# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether every statement fits the schema, and the Python types its rows are loaded into.

Each statement is prepared by a real PostgreSQL, which finds tables, columns, functions and types that are
not there. Then its columns are compared with the row's type: names, types, and nulls. A column may be null
where the query plan shows it to be a plain column that the schema lets be null, or one from the outer side
of a join; of computed columns PostgreSQL can't tell, so there the Python type is believed.
"""

from __future__ import annotations

import importlib
import pkgutil
import types
import typing
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

import services
from services.kernel import sql
from services.kernel.columns import Connection
from services.kernel.plans import nullable_columns

CODES = {
    "42P01": ("unknown-table", "name a table of the schema, or bring it by a migration"),
    "42703": ("unknown-column", "name a column of the schema"),
    "42883": ("unknown-function", "name a function or operator that PostgreSQL has for these types, or cast"),
    "42601": ("syntax", "see the line"),
    "42804": ("wrong-type", "cast one of the sides"),
    "42P18": ("undetermined-type", "cast the parameter, such as :name::bigint"),
    "42704": ("unknown-type", "name a type of the schema or of an installed extension"),
}
"""PostgreSQL's state → our code and what helps."""

PYTHON_OF: dict[str, Any] = {
    **dict.fromkeys(("int2", "int4", "int8"), int),
    **dict.fromkeys(("float4", "float8"), float),
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "citext", "tsvector"), str),
    **dict.fromkeys(("timestamp", "timestamptz"), datetime),
    **dict.fromkeys(("json", "jsonb"), Any),
    "bool": bool,
    "numeric": Decimal,
    "date": date,
    "interval": timedelta,
    "uuid": UUID,
    "bytea": bytes,
    "hstore": dict[str, str | None],
    "inet": Any,
    "void": Any,
}
"""What asyncpg and `columns.teach` make of a column of this type; enumerations are text."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong, and what helps."""

    file: str
    line: int
    statement: str
    code: str
    message: str
    remedy: str


class Report(msgspec.Struct, frozen=True):
    """How many statements were prepared, and what is wrong with them."""

    statements: int
    findings: list[Finding]


def load_all(root: Path | None = None) -> list[sql.Queries]:
    """Every file of statements under `services/`, each vertical imported so that its statements are bound.

    Raises `sql.SqlError` for a file that is malformed or lacks a statement that its vertical binds.
    """
    for module in pkgutil.walk_packages(services.__path__, "services."):
        importlib.import_module(module.name)
    known = {queries.file: queries for queries in sql.loaded()}
    folder = root or Path(services.__file__).parent
    for file in sorted(folder.rglob("queries.sql")):
        if file not in known:
            known[file] = sql.Queries(
                file, {one.name: one for one in sql.parse(file.read_text("utf-8"), file)}
            )
    return [known[file] for file in sorted(known)]


async def check(connection: Connection, files: Iterable[sql.Queries]) -> Report:
    """Prepare every statement over `connection` and compare its columns with the types it is bound to."""
    findings: list[Finding] = []
    number = 0
    for queries in files:
        for statement in queries.statements.values():
            number += 1
            findings += await _check(connection, statement, queries.bound.get(statement.name))
    return Report(number, findings)


async def _check(
    connection: Connection, statement: sql.Statement, bound: sql.AnyBound | None
) -> list[Finding]:
    if bound is None:
        return [
            _finding(statement, "unused", "nobody runs this statement", "bind it in its store, or drop it")
        ]
    try:
        prepared = await connection.prepare(statement.text)
    except asyncpg.PostgresError as error:
        return [_refusal(statement, error)]
    attributes = prepared.get_attributes()
    columns = [(one.name, one.type.name, python_of(one.type)) for one in attributes]
    nullable = (
        await nullable_columns(connection, statement.text, len(statement.parameters)) if columns else []
    )
    found = [
        (name, pg_type, python, may_be_null)
        for (name, pg_type, python), may_be_null in zip(columns, nullable, strict=False)
    ]
    return list(_compare(statement, bound, found))


def _refusal(statement: sql.Statement, error: asyncpg.PostgresError) -> Finding:
    code, remedy = CODES.get(error.sqlstate or "", ("refused", "see what PostgreSQL says"))
    position = int(getattr(error, "position", None) or 1)
    index = statement.text[: position - 1].count("\n")
    line = statement.lines[index] if index < len(statement.lines) else statement.line
    return _finding(statement, code, str(error), str(getattr(error, "hint", None) or remedy), line)


_Column = tuple[str, str, Any, bool]


def _compare(statement: sql.Statement, bound: sql.AnyBound, columns: list[_Column]) -> Iterator[Finding]:
    if isinstance(bound, sql.Command):
        if columns:
            names = ", ".join(column[0] for column in columns)
            yield _finding(
                statement,
                "unread-columns",
                f"answers {names}, which nobody reads",
                "drop RETURNING, or bind a row",
            )
        return
    if isinstance(bound, sql.Values):
        if len(columns) != 1:
            yield _finding(
                statement, "column-count", f"answers {len(columns)} columns, not one", "select one column"
            )
            return
        yield from _compare_column(statement, "values", bound.scalar, columns[0])
        return
    hints = typing.get_type_hints(bound.row)
    there = {column[0]: column for column in columns}
    for field in msgspec.structs.fields(bound.row):
        if field.name in there:
            yield from _compare_column(
                statement, f"{bound.row.__name__}.{field.name}", hints[field.name], there[field.name]
            )
        elif field.required:
            yield _finding(
                statement,
                "missing-column",
                f"answers no column {field.name}, which {bound.row.__name__} needs",
                "select it, or drop the field",
            )
    for name in there.keys() - hints.keys():
        yield _finding(
            statement,
            "surplus-column",
            f"answers {name}, which {bound.row.__name__} does not have",
            "drop the column, or add the field",
        )


def _compare_column(statement: sql.Statement, where: str, hint: Any, column: _Column) -> Iterator[Finding]:
    name, pg_type, python, may_be_null = column
    bare, takes_null = without_none(hint)
    if not _fits(python, bare):
        yield _finding(
            statement,
            "column-type",
            f"{name} is {pg_type}, {_told(python)} in Python; {where} is {_told(bare)}",
            "change the field's type, or cast the column",
        )
    if may_be_null and not takes_null:
        yield _finding(
            statement,
            "column-null",
            f"{name} may be null; {where} may not",
            f"make it {_told(bare)} | None, or select coalesce(…)",
        )


def python_of(pg_type: Any) -> Any:
    """The Python type of a column, by asyncpg's description of its type; None where it is not known."""
    name: str = pg_type.name
    if pg_type.kind == "array":
        inner = PYTHON_OF.get(name.removesuffix("[]").lstrip("_"))
        return None if inner is None else types.GenericAlias(list, (inner,))
    return PYTHON_OF.get(name)


def without_none(hint: Any) -> tuple[Any, bool]:
    """A type without its null, and whether it had one."""
    if hint is Any:
        return hint, True
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        parts = typing.get_args(hint)
        rest = [part for part in parts if part is not type(None)]
        bare = rest[0] if len(rest) == 1 else typing.Union[tuple(rest)]  # noqa: UP007 (made of a list)
        return bare, len(rest) < len(parts)
    return hint, False


def _fits(python: Any, hint: Any) -> bool:
    """Whether values of the column's type are values of the field's. JSON may be anything."""
    if python is Any or hint is Any:
        return True
    if typing.get_origin(python) is list:
        inner, _ = without_none((typing.get_args(hint) or (Any,))[0])
        return typing.get_origin(hint) is list and _fits(typing.get_args(python)[0], inner)
    return bool(python == hint)


def _told(hint: Any) -> str:
    return (
        "something unknown"
        if hint is None
        else getattr(hint, "__name__", str(hint))
        if not typing.get_args(hint)
        else str(hint)
    )


def _finding(
    statement: sql.Statement, code: str, message: str, remedy: str, line: int | None = None
) -> Finding:
    return Finding(str(statement.file), line or statement.line, statement.label, code, message, remedy)
