# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sessions and transactions against a real PostgreSQL: read-only, collisions, dead connections, slow statements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.kernel.db import TRIES, ConstraintError, Database, Session
from services.kernel.errors import ReadOnlyError, UnavailableError
from services.kernel.settings import Settings
from services.kernel.sql import Statement
from tests.factories import Factory


def settings_for(url: str, **more: str) -> Settings:
    return Settings.from_environment({"DATABASE_URL": url, "SECRET_KEY_BASE": "secret", **more})


def statement(text: str) -> Statement:
    return Statement("probe", text, (), Path("queries.sql"), 1)


async def run(session: Session, text: str, *arguments: Any) -> list[Any]:
    return await session.fetch(statement(text), list(arguments))


@pytest.fixture
async def database(sample_url: str) -> AsyncIterator[Database]:
    async with Database.open(settings_for(sample_url, BANYAN_DATABASE_POOL="2").database) as opened:
        yield opened


RENAME = "UPDATE tags SET name = 'renamed' WHERE id = (SELECT min(id) FROM tags) RETURNING id"


async def test_what_only_reads_cannot_write(database: Database) -> None:
    async with database.session(reads_only=True) as session:
        await run(session, "SELECT 1")
        with pytest.raises(ReadOnlyError):
            await run(session, RENAME)
        with pytest.raises(ReadOnlyError):
            await session.atomically(lambda: run(session, RENAME))
    async with database.session() as session:
        assert await run(session, RENAME)


@pytest.mark.parametrize("prepared", ["true", "false"])
async def test_a_transaction_holds_as_a_whole_or_not_at_all(sample_url: str, prepared: str) -> None:
    url = f"{sample_url}?prepared_statements={prepared}"
    async with Database.open(settings_for(url).database) as database, database.session() as session:
        done: list[str] = []

        async def note() -> None:
            done.append("after")

        async def act(fails: bool) -> int:
            await run(session, "INSERT INTO cohorts (id) VALUES (424242)")
            await session.after_commit(note)
            assert not done
            if fails:
                raise LookupError
            return 1

        with pytest.raises(LookupError):
            await session.atomically(lambda: act(True))
        assert (await run(session, "SELECT count(*) FROM cohorts WHERE id = 424242"))[0][0] == 0
        assert not done
        assert await session.atomically(lambda: act(False)) == 1
        assert done == ["after"]
        with pytest.raises(ConstraintError, match="cohorts_pkey"):
            await run(session, "INSERT INTO cohorts (id) VALUES (424242)")


async def test_a_savepoint_is_undone_alone(database: Database) -> None:
    async with database.session() as session:

        async def twice() -> None:
            async with session.savepoint():
                await run(session, "INSERT INTO cohorts (id) VALUES (424243)")
                await run(session, "INSERT INTO cohorts (id) VALUES (424242)")

        async def act() -> None:
            await run(session, "INSERT INTO cohorts (id) VALUES (424242)")
            with pytest.raises(ConstraintError):
                await twice()
            async with session.savepoint():
                await run(session, "INSERT INTO cohorts (id) VALUES (424244)")

        await session.atomically(act)
        rows = await run(session, "SELECT id FROM cohorts WHERE id >= 424242 ORDER BY id")
        assert [row[0] for row in rows] == [424242, 424244]


async def test_an_action_that_collides_runs_again(database: Database) -> None:
    tries: list[int] = []
    async with database.session() as session, database.session() as other:
        await run(session, "INSERT INTO cohorts (id) VALUES (424242)")

        async def act() -> None:
            await run(session, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            await run(session, "SELECT id FROM cohorts")
            tries.append(1)
            if len(tries) < 3:
                await run(other, "UPDATE cohorts SET start_on = now() WHERE id = 424242")
            await run(session, "UPDATE cohorts SET start_on = '2001-01-01' WHERE id = 424242")

        await session.atomically(act)
        assert len(tries) == 3
        (row,) = await run(session, "SELECT start_on::text FROM cohorts WHERE id = 424242")
        assert row[0] == "2001-01-01"

        async def always() -> None:
            tries.append(1)
            await run(session, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            await run(session, "SELECT id FROM cohorts")
            await run(other, "UPDATE cohorts SET start_on = now() WHERE id = 424242")
            await run(session, "UPDATE cohorts SET start_on = '2001-01-01' WHERE id = 424242")

        tries.clear()
        with pytest.raises(UnavailableError):
            await session.atomically(always)
        assert len(tries) == TRIES


async def test_connections_that_died_in_the_pool_are_not_noticed(database: Database, sample_url: str) -> None:
    async with database.session() as one, database.session() as two:
        await asyncio.gather(run(one, "SELECT 1"), run(two, "SELECT 1"))
    admin = await asyncpg.connect(sample_url)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'banyan-services' AND datname = current_database()"
    )
    await admin.close()
    async with database.session(reads_only=True) as session:
        assert (await run(session, "SELECT 7"))[0][0] == 7


async def test_a_cancelled_request_leaves_no_transaction_behind(database: Database) -> None:
    async def linger() -> None:
        async with database.session() as session:
            await session.atomically(lambda: run(session, "SELECT pg_sleep(60)"))

    lingering = [asyncio.create_task(linger()) for _ in range(2)]
    while database.connections() != {"idle": 0, "busy": 2}:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    for task in lingering:
        task.cancel()
    await asyncio.gather(*lingering, return_exceptions=True)
    async with database.session() as session:
        assert (await run(session, "SELECT 1"))[0][0] == 1
        assert not session.is_in_transaction


async def test_slow_statements_are_told_without_their_values(sample_url: str) -> None:
    told: list[tuple[str, int]] = []
    settings = settings_for(sample_url, BANYAN_SLOW_QUERY_MS="0").database
    async with (
        Database.open(settings, lambda one, _seconds, rows: told.append((one.label, rows))) as database,
        database.session() as session,
    ):
        await run(session, "SELECT $1::text", "private")
    assert told == [(".probe", 1)]


async def test_what_extensions_add_is_read_as_python_has_it(database: Database, make: Factory) -> None:
    async with database.session() as session:
        (row,) = await run(
            session, "SELECT 'A=>1, b=>NULL'::hstore, 'X'::citext, $1::jsonb", {"deep": [1, None]}
        )
        assert list(row) == [{"A": "1", "b": None}, "X", {"deep": [1, None]}]


@pytest.mark.parametrize(("prepared", "mode"), [("true", "force_generic_plan"), ("false", "auto")])
async def test_prepared_statements_are_planned_once(sample_url: str, prepared: str, mode: str) -> None:
    """Without them nothing is said of plans, so that a PgBouncer takes the connection."""
    settings = settings_for(f"{sample_url}?prepared_statements={prepared}").database
    async with Database.open(settings) as database, database.session() as session:
        assert (await run(session, "SELECT current_setting('plan_cache_mode')"))[0][0] == mode


async def test_statements_that_a_pooler_lost_are_told_with_what_helps(sample_url: str) -> None:
    settings = settings_for(sample_url, BANYAN_DATABASE_POOL="1").database
    async with Database.open(settings) as database:
        async with database.session() as session:
            await run(session, "SELECT 1")
        async with database.session() as session:
            await run(session, "SELECT 2")
            await run(session, "DEALLOCATE ALL")
            with pytest.raises(UnavailableError, match="prepared_statements=false"):
                await run(session, "SELECT 1")
