# SPDX-License-Identifier: AGPL-3.0-or-later
"""Databases made from dumps: whole loads, and every way to be refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner

from banyan.database_commands import register
from banyan.embedded import PostgresServer
from banyan.sampledb import SampleDatabaseError, make_database
from contracts.corpus import OWN_COPY

SCHEMA = """
CREATE TABLE public."odd ""name" (id bigint NOT NULL, "te,xt" text);
CREATE SEQUENCE public.ids;
"""
DATA = r"""
SET session_replication_role = replica;

COPY public."odd ""name" ("id", "te,xt") FROM stdin;
1	a\tb\\c
2	\N
3	COPY public."x" ("id") FROM stdin;
\.

SELECT pg_catalog.setval('public.ids', 41, true);
SET session_replication_role = origin;
"""


def corpus(folder: Path, schema: str = SCHEMA, data: str = DATA) -> Path:
    """A corpus of two files."""
    (folder / "schema.sql").write_text(schema)
    (folder / "data.sql.gz").write_bytes(gzip.compress(data.encode()))
    return folder


async def test_rows_and_sequences_arrive(postgres: PostgresServer, tmp_path: Path) -> None:
    await postgres.drop_database("made here")
    url = postgres.url("made%20here")
    await make_database(url, corpus(tmp_path))
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch('SELECT * FROM public."odd ""name" ORDER BY id')
        assert [tuple(row) for row in rows] == [
            (1, "a\tb\\c"),
            (2, None),
            (3, 'COPY public."x" ("id") FROM stdin;'),
        ]
        assert await connection.fetchval("SELECT nextval('ids')") == 42
        assert await connection.fetchval("SELECT public.gen_random_uuid() IS NOT NULL")
    finally:
        await connection.close()


async def test_what_is_there_is_kept_unless_forced(postgres: PostgresServer, tmp_path: Path) -> None:
    url = await postgres.create_database("kept")
    source = corpus(tmp_path)
    await make_database(url, source)
    with pytest.raises(SampleDatabaseError, match="holds 1 tables; --force"):
        await make_database(url, source)
    await make_database(url, source, force=True)


async def test_a_failed_load_leaves_no_database(postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.url("failed")
    with pytest.raises(SampleDatabaseError, match="refused the dump"):
        await make_database(url, corpus(tmp_path, data=DATA.replace("2\t", "two\t")))
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(url)


async def test_a_failed_load_leaves_an_existing_database_empty(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    url = await postgres.create_database("still_empty")
    with pytest.raises(SampleDatabaseError):
        await make_database(url, corpus(tmp_path, data=DATA.replace("2\t", "two\t")))
    await make_database(url, corpus(tmp_path))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgres://nobody@127.0.0.1:1/x", "no connection to PostgreSQL at 127.0.0.1:1"),
        ("postgres://nobody@127.0.0.1:1", "names no database"),
        ("mysql://nobody@127.0.0.1:1/x", "does not begin with postgres://"),
        ("x", "does not begin with postgres://"),
    ],
)
async def test_an_unusable_url_is_explained(url: str, says: str) -> None:
    with pytest.raises(SampleDatabaseError, match=says):
        await make_database(url, OWN_COPY)


def test_the_command_loads_the_recorded_data(postgres: PostgresServer, tmp_path: Path) -> None:
    import typer

    app = typer.Typer()
    register(app)
    app.callback()(lambda: None)
    done = CliRunner().invoke(app, ["sample-db", "--url", postgres.url("by_command"), "--force"])
    assert done.exit_code == 0, done.output
    assert "loading the rows …" in done.stderr
    again = CliRunner().invoke(app, ["sample-db", "--url", postgres.url("by_command")])
    assert again.exit_code == 2
    assert "--force" in again.stderr
    lost = CliRunner().invoke(
        app, ["sample-db", "--url", postgres.url("by_command"), "--corpus", str(tmp_path), "--force"]
    )
    assert lost.exit_code == 2
    assert "has no schema.sql" in lost.stderr
    still = CliRunner().invoke(app, ["sample-db", "--url", postgres.url("by_command")])
    assert "tables; --force drops it first" in still.stderr
