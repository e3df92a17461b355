# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan migrate`: on an empty database and on Rails' own, again, together, and everything it refuses."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from banyan.cli import app
from banyan.embedded import PostgresServer
from banyan.migrations import MigrationError, migrate, read_migrations

_numbers = itertools.count(1)


@pytest.fixture
async def empty_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """A database without a table."""
    name = f"migrations_{os.getpid()}_{next(_numbers)}"
    yield await postgres.create_database(name)
    await postgres.drop_database(name)


def files(folder: Path, *texts: str) -> dict[str, Path]:
    """A part with such files, one after the other."""
    for number, text in enumerate(texts, 1):
        (folder / f"{number:04}_step.sql").write_text(text)
    return {"part": folder}


async def query(url: str, statement: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(statement)]
    finally:
        await connection.close()


TABLES = (
    "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname !~ '^pg_|information' ORDER BY 1"
)
OTHERS = (
    "SELECT table_schema || table_name || column_name || data_type FROM information_schema.columns "
    "WHERE table_schema <> 'banyan' ORDER BY 1"
)


async def test_an_empty_database_gets_the_schema_and_a_second_run_nothing(empty_url: str) -> None:
    first = await migrate(empty_url)
    assert "proxy/migrations/0001_shadow.sql" in first.applied
    assert not first.before
    tables = await query(empty_url, TABLES)
    assert "banyan.shadow_findings" in tables
    assert all(table.startswith("banyan.") for table in tables)
    second = await migrate(empty_url)
    assert (second.before, second.applied) == (first.applied, ())


async def test_the_tables_of_rails_are_left_as_they_are(sample_url: str) -> None:
    await query(sample_url, "DROP SCHEMA banyan CASCADE")
    before = await query(sample_url, OTHERS)
    assert (await migrate(sample_url)).applied
    assert await query(sample_url, OTHERS) == before


async def test_a_dry_run_changes_nothing(empty_url: str) -> None:
    report = await migrate(empty_url, dry_run=True)
    assert report.dry_run
    assert report.applied
    assert await query(empty_url, TABLES) == []


async def test_several_at_once_apply_each_file_once(empty_url: str) -> None:
    reports = await asyncio.gather(*(migrate(empty_url) for _ in range(5)))
    assert sorted(bool(report.applied) for report in reports) == [False] * 4 + [True]


async def test_a_new_file_is_applied_after_those_that_were(empty_url: str, tmp_path: Path) -> None:
    await migrate(empty_url, parts=files(tmp_path, "CREATE TABLE one (id int);"))
    parts = files(
        tmp_path, "CREATE TABLE one (id int);", "ALTER TABLE one ADD name text; CREATE TABLE two (id int);"
    )
    report = await migrate(empty_url, parts=parts)
    assert report.applied == ("part/migrations/0002_step.sql",)
    assert await query(empty_url, TABLES) == ["banyan.migrations", "banyan.one", "banyan.two"]


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (
            "CREATE TABLE one (id int);\nCREATE TABLE two (id nonsense);",
            "migration-failed",
            "0002_step.sql:2",
        ),
        ("CREATE TABLE public.mine (id int);", "migration-foreign", "public.mine"),
        ("CREATE TABLE one (id int); ALTER TABLE public.theirs ADD mine int;", "migration-foreign", "theirs"),
        (
            "DROP TABLE public.theirs CASCADE; CREATE VIEW public.theirs AS SELECT 1;",
            "migration-foreign",
            "theirs",
        ),
        ("DROP TABLE public.theirs;", "migration-foreign", "theirs"),
        (
            "CREATE TABLE one (id int REFERENCES public.theirs);",
            "migration-foreign",
            "public",
        ),
    ],
)
async def test_a_file_that_fails_or_reaches_elsewhere_changes_nothing(
    empty_url: str, tmp_path: Path, text: str, code: str, says: str
) -> None:
    await query(empty_url, "CREATE TABLE public.theirs (id int PRIMARY KEY)")
    with pytest.raises(MigrationError, match=says) as caught:
        await migrate(empty_url, parts=files(tmp_path, "CREATE TABLE fine (id int);", text))
    assert caught.value.code == code
    assert await query(empty_url, TABLES) == ["public.theirs"]
    assert await query(
        empty_url, "SELECT attname FROM pg_attribute WHERE attrelid = 'theirs'::regclass AND attnum > 0"
    ) == ["id"]


async def test_a_changed_or_missing_file_is_refused(empty_url: str, tmp_path: Path) -> None:
    await migrate(
        empty_url, parts=files(tmp_path, "CREATE TABLE one (id int);", "CREATE TABLE two (id int);")
    )
    (tmp_path / "0001_step.sql").write_text("CREATE TABLE one (id bigint);")
    with pytest.raises(MigrationError, match=r"0001_step\.sql was applied on .* and has changed") as changed:
        await migrate(empty_url, parts={"part": tmp_path})
    assert changed.value.code == "migration-changed"
    files(tmp_path, "CREATE TABLE one (id int);")
    (tmp_path / "0002_step.sql").unlink()
    with pytest.raises(MigrationError, match="newer Banyan") as missing:
        await migrate(empty_url, parts={"part": tmp_path})
    assert missing.value.code == "migration-missing"


@pytest.mark.parametrize("name", ["1_short.sql", "0001-dash.sql", "0002_gap.sql"])
def test_badly_numbered_files_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(MigrationError) as caught:
        read_migrations({"part": tmp_path})
    assert caught.value.code == "migrations-unreadable"


def test_every_shipped_file_names_no_schema_but_its_own() -> None:
    shipped = read_migrations()
    assert next(one.title for one in shipped) == "proxy/migrations/0001_shadow.sql"
    assert all("public." not in one.text for one in shipped)


async def command(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, ["migrate", *arguments])


async def test_the_command_tells_what_it_did(empty_url: str) -> None:
    dry = await command("--url", empty_url, "--dry-run")
    assert dry.exit_code == 0
    assert "would apply proxy/migrations/0001_shadow.sql" in dry.stdout
    assert "applied proxy/migrations/0001_shadow.sql" in (await command("--url", empty_url)).stdout
    again = await command("--url", empty_url, "--json")
    assert json.loads(again.stdout)["applied"] == []


@pytest.mark.parametrize(
    ("url", "code", "says"),
    [
        (
            "postgres://nobody:hush@127.0.0.1:1/x",
            1,
            "database-away: no connection to PostgreSQL at 127.0.0.1:1/x",
        ),
        ("nonsense", 2, "write postgres://"),
    ],
)
async def test_the_command_says_what_is_wrong_with_the_database(url: str, code: int, says: str) -> None:
    result = await command("--url", url)
    assert result.exit_code == code
    assert says in result.stderr
    assert "hush" not in result.output


async def test_the_command_says_when_there_is_no_such_database_or_user(postgres: PostgresServer) -> None:
    missing = await command("--url", postgres.url("nowhere"))
    assert missing.exit_code == 2
    assert "create the database first" in missing.stderr
    wrong = await command("--url", f"postgres://banyan:hush@127.0.0.1:{postgres.port}/postgres")
    assert wrong.exit_code == 2
    assert "check user and password" in wrong.stderr
    assert "hush" not in wrong.output
