# SPDX-License-Identifier: AGPL-3.0-or-later
"""The typed rows of all tables: those of the schema, and true to every value that a column can hold."""

from __future__ import annotations

import typing
from collections.abc import AsyncIterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from banyan.sqlcheck import models_of
from contracts.corpus import OWN_COPY
from services.kernel import columns, rows, sqlcheck


def test_they_are_what_the_schema_says() -> None:
    written = Path(rows.__file__).read_text("utf-8")
    assert written == models_of(OWN_COPY / "schema.sql")  # else: banyan sql models --write


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[columns.Connection]:
    """One that was told about our types, as the services' are."""
    opened = await asyncpg.connect(database_url)
    await columns.teach(opened)
    yield opened
    await opened.close()


async def test_postgresql_says_the_same(connection: columns.Connection) -> None:
    names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {row[0] for row in names} == rows.TABLES.keys()
    not_null = await connection.fetch(
        "SELECT c.relname, a.attname, a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped"
    )
    nulls = {(table, column): not required for table, column, required in not_null}
    for table, row in rows.TABLES.items():
        hints = typing.get_type_hints(row)
        prepared = await connection.prepare(f'SELECT * FROM "{table}"')
        assert [one.name for one in prepared.get_attributes()] == list(hints), table
        for one in prepared.get_attributes():
            bare, takes_null = sqlcheck.without_none(hints[one.name])
            assert takes_null == nulls[table, one.name] or bare is Any, (table, one.name)
            python = sqlcheck.python_of(one.type)
            assert python in (bare, Any), (table, one.name, python, bare)


async def test_recorded_rows_of_every_table_are_read(connection: columns.Connection) -> None:
    for table, row in rows.TABLES.items():
        for record in await connection.fetch(f'SELECT * FROM "{table}" LIMIT 50'):
            # A strict conversion, so that a value of another type than the row says is an error.
            loaded: Any = row(**record)
            for name, hint in typing.get_type_hints(row).items():
                bare, _ = sqlcheck.without_none(hint)
                value = getattr(loaded, name)
                if value is not None and bare is not Any and typing.get_origin(bare) is None:
                    assert isinstance(value, bare), (table, name, value)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
WHOLE = st.integers(-(2**63), 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(-1e15, 1e15) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
VALUES = {
    "bigint": WHOLE,
    "integer": st.integers(-(2**31), 2**31 - 1),
    "boolean": st.booleans(),
    "character varying": TEXT,
    "text": TEXT,
    "citext": TEXT,
    "timestamp": st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),  # noqa: DTZ001 (as columns have it)
    "date": st.dates(date(1, 1, 1), date(9999, 12, 31)),
    "jsonb": JSON,
    "hstore": st.dictionaries(TEXT, st.none() | TEXT, max_size=4),
    "character varying[]": st.lists(st.none() | TEXT, max_size=4),
    "inet": st.ip_addresses(),
    "double precision": st.floats(allow_nan=False),
    "numeric": st.decimals(allow_nan=False, allow_infinity=False),
    "bytea": st.binary(max_size=20),
    "uuid": st.uuids(),
    "mood": st.sampled_from(["glad", "sad"]),
    "mood[]": st.lists(st.sampled_from(["glad", "sad"]), max_size=3),
}


@pytest.mark.parametrize("kind", VALUES)
async def test_every_value_comes_back_as_it_went(kind: str, connection: columns.Connection) -> None:
    await connection.execute("CREATE TYPE pg_temp.mood AS ENUM ('glad', 'sad')")
    await connection.execute(f"CREATE TEMPORARY TABLE probe (value {kind.replace('mood', 'pg_temp.mood')})")

    seen: list[Any] = []

    @settings(max_examples=15, database=None, suppress_health_check=list(HealthCheck))
    @given(value=VALUES[kind])
    def collect(value: Any) -> None:
        seen.append(value)

    collect()
    for value in seen:
        await connection.execute("TRUNCATE probe")
        await connection.execute("INSERT INTO probe VALUES ($1)", value)
        back = await connection.fetchval("SELECT value FROM probe")
        assert back == value
        assert msgspec.json.encode(back, enc_hook=str)
