# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which columns of a statement's answer may be null, as its query plan tells.

PostgreSQL describes a statement's columns by name and type only. Its plan says where each comes from: a plain
column of a table, whose NOT NULL counts as long as no outer join makes rows up, or something computed.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from services.kernel.columns import Connection

_COLUMN = re.compile(r'(?:(?P<alias>"(?:[^"]|"")+"|[a-z_][\w$]*)\.)?(?P<column>"(?:[^"]|"")+"|[a-z_][\w$]*)')
_NOT_NULL = """
SELECT a.attname
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
"""
_COLUMNS = _NOT_NULL.replace(" AND a.attnotnull", "")

Table = tuple[str, str]


async def nullable_columns(connection: Connection, text: str, parameters: int) -> list[bool]:
    """For each column of the statement's answer, whether it is known that it may be null. Nothing is run.

    What a plan only sorts by comes after those columns, so there may be more than the answer has.
    """
    nulls = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
    async with connection.transaction():
        # A plan for these very values would see that nothing can be found, and forget the tables.
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE banyan_check AS {text}")
        try:
            (row,) = await connection.fetch(f"EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE banyan_check{nulls}")
        finally:
            await connection.execute("DEALLOCATE banyan_check")
    plan = (row[0] if isinstance(row[0], list) else msgspec.json.decode(row[0]))[0]["Plan"]
    tables: dict[str, Table | None] = {}
    made_up: set[str] = set()
    _walk(plan, tables, made_up)
    return [await _may_be_null(connection, one, tables, made_up) for one in plan.get("Output", [])]


def _walk(node: dict[str, Any], tables: dict[str, Table | None], made_up: set[str]) -> set[str]:
    """Fill in the tables by alias, and the aliases whose rows an outer join may make up; answers all aliases."""
    below = set[str]()
    sides: dict[str, set[str]] = {}
    for child in node.get("Plans", []):
        of_child = _walk(child, tables, made_up)
        sides.setdefault(child.get("Parent Relationship", ""), set()).update(of_child)
        if child.get("Parent Relationship") in ("Outer", "Inner", "Member", "Subquery"):
            below |= of_child
    join = node.get("Join Type")
    if join in ("Left", "Full"):
        made_up |= sides.get("Inner", set())
    if join in ("Right", "Full"):
        made_up |= sides.get("Outer", set())
    if (alias := node.get("Alias")) is not None:
        table = (node["Schema"], node["Relation Name"]) if "Relation Name" in node else None
        # An alias that stands for two tables in one statement is known to be neither.
        tables[alias] = table if tables.get(alias, table) == table else None
        below.add(alias)
    return below


async def _may_be_null(
    connection: Connection, expression: str, tables: dict[str, Table | None], made_up: set[str]
) -> bool:
    found = _COLUMN.fullmatch(expression)
    if found is None:
        return False
    column = _plain(found["column"])
    if found["alias"] is None:
        # With one table, plans leave its name out.
        if len(tables) != 1:
            return False
        alias = next(iter(tables))
    else:
        alias = _plain(found["alias"])
    table = tables.get(alias)
    if table is None:
        return False
    columns = {row[0] for row in await connection.fetch(_COLUMNS, *table)}
    if column not in columns:
        return False
    return alias in made_up or column not in {row[0] for row in await connection.fetch(_NOT_NULL, *table)}


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
