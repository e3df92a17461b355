# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where `banyan sql` gets its schema and its database from; what is checked is in `services.kernel.sqlcheck`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg

from banyan.embedded import EmbeddedError, PostgresServer
from banyan.migrations import MigrationError, migrate
from services.kernel import columns, rowmodels, sql, sqlcheck

EXTENSIONS = ("citext", "hstore", "pgcrypto")


class CheckError(Exception):
    """Nothing could be checked; the message says why."""


def models_of(schema: Path) -> str:
    """The module of typed rows for a schema. Raises `CheckError`."""
    try:
        return rowmodels.write(rowmodels.parse_schema(schema.read_text("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise CheckError(f"{schema} can't be read: {error}") from error
    except rowmodels.SchemaError as error:
        raise CheckError(f"{schema}: {error}") from error


async def check_at(url: str) -> sqlcheck.Report:
    """Check on the database at `url`. Raises `CheckError`."""
    try:
        files = sqlcheck.load_all()
    except sql.SqlError as error:
        raise CheckError(str(error)) from error
    try:
        connection = await asyncpg.connect(url, statement_cache_size=0)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CheckError(f"no connection to PostgreSQL: {error}") from error
    try:
        await columns.teach(connection)
        return await sqlcheck.check(connection, files)
    finally:
        await connection.close()


def check_on_schema(schema: Path) -> sqlcheck.Report:
    """Check on a new database that holds the schema and Banyan's migrations. Raises `CheckError`."""

    async def on(server: PostgresServer, text: str) -> sqlcheck.Report:
        url = await server.create_database("sql_check")
        connection = await asyncpg.connect(url)
        try:
            for extension in EXTENSIONS:
                await connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension} WITH SCHEMA public")
            await connection.execute(text)
        finally:
            await connection.close()
        await migrate(url)
        return await check_at(url)

    try:
        text = schema.read_text("utf-8")
        with PostgresServer() as server:
            return asyncio.run(on(server, text))
    except (OSError, UnicodeDecodeError, asyncpg.PostgresError, EmbeddedError, MigrationError) as error:
        raise CheckError(f"no database with {schema}: {error}") from error
