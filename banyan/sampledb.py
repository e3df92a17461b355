# SPDX-License-Identifier: AGPL-3.0-or-later
"""A database made from a corpus: its schema and rows, loaded without `psql`.

Used by `banyan sample-db`, by the demo and by the tests. A load is one transaction: all of it or nothing.
`sample_server` adds schema `banyan`, as an operator does before the services start.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import urllib.parse
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import asyncpg

from banyan.embedded import PostgresServer, Seed
from banyan.embedded.cache import Progress, silent
from banyan.embedded.postgres import quoted
from banyan.migrations import migrate, read_migrations
from contracts import dump
from contracts.corpus import Corpus
from contracts.dump import DumpError, Rows, Script, parse_dump

SAMPLE = "sample"
"""Name of the filled database on a server from `sample_server`."""

EXTENSIONS = ("citext", "hstore", "pgcrypto")


class SampleDatabaseError(Exception):
    """The database can't be made; the message says why and what helps."""


def _require_dump(corpus: Corpus) -> None:
    for name in ("schema.sql", "data.sql"):
        if not corpus.has(name):
            raise SampleDatabaseError(f"{corpus.folder} is no folder of recordings: it has no {name}")


def _parts(corpus: Corpus) -> Iterator[Script | Rows]:
    """Schema, then rows, then the positions of the sequences. Raises `SampleDatabaseError`."""
    try:
        for stream in (corpus.schema_sql(), corpus.data_sql()):
            with stream:
                yield from parse_dump(stream)
    except (DumpError, OSError, EOFError, UnicodeDecodeError) as error:
        raise SampleDatabaseError(f"{corpus.folder}: the dump can't be read: {error}") from error


def _digest(corpus: Corpus) -> str:
    """A name for the contents; it also changes with the code that loads them, and with our migrations."""
    _require_dump(corpus)
    digest = hashlib.sha256(Path(__file__).read_bytes() + Path(dump.__file__).read_bytes())
    digest.update(version("pgqueuer").encode())
    for migration in read_migrations():
        digest.update(migration.checksum.encode())
    for stream in (corpus.schema_sql(), corpus.data_sql()):
        with stream:
            digest.update(stream.read().encode())
    return digest.hexdigest()[:16]


async def make_database(url: str, corpus: Path, *, force: bool = False, progress: Progress = silent) -> None:
    """Create the database that `url` names (it may be there, empty) and fill it from the folder `corpus`.

    `force` drops what is there first. Raises `SampleDatabaseError`; a database created here is dropped
    again then.
    """
    where = urllib.parse.urlsplit(url)
    if where.scheme not in ("postgres", "postgresql"):
        raise SampleDatabaseError(
            "the URL does not begin with postgres://; write postgres://user@host:port/NAME"
        )
    name = urllib.parse.unquote(where.path.lstrip("/"))
    if not name:
        raise SampleDatabaseError("the URL names no database; end it with /NAME")
    source = Corpus(corpus)
    _require_dump(source)  # before anything is dropped
    created = await _create(url, name, force=force, progress=progress)
    try:
        await _fill(url, source, progress)
    except BaseException:
        if created:
            await _administer(url, f"DROP DATABASE IF EXISTS {quoted(name)}")
        raise


async def _create(url: str, name: str, *, force: bool, progress: Progress) -> bool:
    """Whether the database was created now; else it was there, and empty."""
    if force:
        progress(f"dropping the database {name}, if it is there")
        await _administer(url, f"DROP DATABASE IF EXISTS {quoted(name)}")
    else:
        try:
            tables = await _tables(url)
        except asyncpg.InvalidCatalogNameError:
            pass
        else:
            if tables:
                raise SampleDatabaseError(
                    f"the database {name} holds {tables} tables; --force drops it first"
                )
            return False
    progress(f"creating the database {name}")
    await _administer(url, f"CREATE DATABASE {quoted(name)} ENCODING 'UTF8' TEMPLATE template0")
    return True


async def _connect(url: str) -> asyncpg.Connection[asyncpg.Record]:
    try:
        return await asyncpg.connect(url)
    except asyncpg.InvalidCatalogNameError:
        raise
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        where = urllib.parse.urlsplit(url)
        raise SampleDatabaseError(
            f"no connection to PostgreSQL at {where.hostname}:{where.port}: {error}"
        ) from error


async def _administer(url: str, statement: str) -> None:
    """Run a statement about databases, from the database `postgres`."""
    connection = await _connect(
        urllib.parse.urlunsplit(urllib.parse.urlsplit(url)._replace(path="/postgres"))
    )
    try:
        await connection.execute(statement)
    except asyncpg.PostgresError as error:
        raise SampleDatabaseError(f"{statement.split(' ENCODING')[0]}: {error}") from error
    finally:
        await connection.close()


async def _tables(url: str) -> int:
    connection = await _connect(url)
    try:
        count: int = await connection.fetchval(
            "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        return count
    finally:
        await connection.close()


async def _fill(url: str, corpus: Corpus, progress: Progress) -> None:
    connection = await _connect(url)
    try:
        progress("creating the tables")
        async with connection.transaction():
            for extension in EXTENSIONS:
                await connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension} WITH SCHEMA public")
            loading = False
            for part in _parts(corpus):
                if isinstance(part, Script):
                    await connection.execute(part.text)
                    continue
                if not loading:
                    progress("loading the rows")
                    loading = True
                await connection.copy_to_table(
                    part.table, schema_name=part.schema, columns=part.columns, source=io.BytesIO(part.data)
                )
        await connection.execute("ANALYZE")
    except asyncpg.PostgresError as error:
        raise SampleDatabaseError(f"PostgreSQL refused the dump: {error}") from error
    finally:
        await connection.close()


def sample_server(corpus: Path, *, progress: Progress = silent) -> PostgresServer:
    """A server, not yet started, whose database `sample` holds the corpus and schema `banyan` (the cache keeps it
    filled).
    """

    async def make(url: str) -> None:
        await make_database(url, corpus, progress=progress)
        await migrate(url)

    def fill(server: PostgresServer) -> None:
        asyncio.run(make(server.url(SAMPLE)))

    return PostgresServer(Seed(f"sample-{_digest(Corpus(corpus))}", fill), progress=progress)
