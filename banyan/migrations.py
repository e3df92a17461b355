# SPDX-License-Identifier: AGPL-3.0-or-later
"""Creates and upgrades schema `banyan`: the edge's tables and the services'.

Each part of the program brings its files, `NNNN_name.sql` in its folder `migrations/`; what was applied is recorded in
`banyan.migrations` with a checksum. A run is one transaction under an advisory lock: all of it or nothing, whoever runs
it at the same time. Files write unqualified names, which mean schema `banyan`; a run that would change anything in
another schema (Rails' tables, say) is undone and refused.
"""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import asyncpg
import msgspec

import proxy
import services
from services.kernel.jobs.tables import bring_up_to_date

SCHEMA = "banyan"
PARTS = {
    "proxy": Path(proxy.__file__).parent / "migrations",
    "services": Path(services.__file__).parent / "migrations",
}
"""Who brings migrations, in the order in which they are applied."""

CONNECT_SECONDS = 10.0
_LOCK = 7_065_218_904_417_233  # any number, the same in every version of Banyan
_FILE = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.sql")

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class MigrationError(Exception):
    """Nothing was changed. `code`: `migrations-unreadable`, `migration-changed`, `migration-missing`,
    `migration-failed`, `migration-foreign`, `database-away` or `database-refused`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Migration(msgspec.Struct, frozen=True):
    """One file."""

    part: str
    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Of its text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def title(self) -> str:
        """How messages name it."""
        return f"{self.part}/migrations/{self.number:04}_{self.name}.sql"


class Applied(msgspec.Struct, frozen=True):
    """A row of `banyan.migrations`."""

    part: str
    number: int
    name: str
    checksum: str
    applied_at: datetime


class Report(msgspec.Struct, frozen=True):
    """What a run did: titles of files that were there before, and those applied (or, in a dry run, pending).
    `queue`: what was done to the job queue's tables, which the library that owns them brings up to date."""

    before: tuple[str, ...]
    applied: tuple[str, ...]
    dry_run: bool
    queue: str = ""


def read_migrations(parts: dict[str, Path] | None = None) -> list[Migration]:
    """The files of every part, in order. Raises `MigrationError` for a stray name, a gap or a number used twice."""
    found: list[Migration] = []
    for part, folder in (PARTS if parts is None else parts).items():
        of_part = [_read(part, file) for file in sorted(folder.glob("*.sql"))]
        for expected, migration in enumerate(of_part, 1):
            if migration.number != expected:
                raise MigrationError(
                    "migrations-unreadable",
                    f"{migration.title}: number {expected:04} was due; number files from 0001 without gaps",
                )
        found += of_part
    return found


def pending(files: Iterable[Migration], applied: Iterable[Applied]) -> list[Migration]:
    """The files to apply. Raises `MigrationError` where an applied file is changed or missing."""
    recorded = {(row.part, row.number): row for row in applied}
    todo: list[Migration] = []
    for file in files:
        row = recorded.pop((file.part, file.number), None)
        if row is None:
            todo.append(file)
        elif row.checksum != file.checksum:
            raise MigrationError(
                "migration-changed",
                f"{file.title} was applied on {row.applied_at:%Y-%m-%d} and has changed since; "
                "restore it and put the change into a new file",
            )
    for row in recorded.values():
        raise MigrationError(
            "migration-missing",
            f"{row.part}/migrations/{row.number:04}_{row.name}.sql was applied and is not here; "
            "this database belongs to a newer Banyan: use that one",
        )
    return todo


async def migrate(url: str, *, dry_run: bool = False, parts: dict[str, Path] | None = None) -> Report:
    """Bring the database at `url` up to date. Raises `MigrationError`; nothing is changed then."""
    files = read_migrations(parts)
    connection = await _connect(url)
    try:
        async with connection.transaction():
            report = await _run(connection, files, dry_run)
        if parts is not None:  # only some files, for a test or a check
            return report
        return msgspec.structs.replace(report, queue=await bring_up_to_date(connection, dry_run=dry_run))
    except asyncpg.InsufficientPrivilegeError as error:
        raise MigrationError(
            "database-refused",
            f"{_place(url)}: {error}; grant CREATE on the database to this user, or name its owner in the URL",
        ) from error
    except (OSError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
        raise MigrationError(
            "database-away", f"{_place(url)}: {error}; nothing was changed, run it again"
        ) from error
    finally:
        await connection.close()


async def _run(connection: Connection, files: list[Migration], dry_run: bool) -> Report:
    await connection.execute("SELECT pg_advisory_xact_lock($1::bigint)", _LOCK)
    applied = await _applied(connection)
    todo = pending(files, applied)
    if todo and not dry_run:
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        await connection.execute(f"SET LOCAL search_path = {SCHEMA}")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (part text NOT NULL, number integer NOT NULL, name text NOT NULL, "
            "checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (part, number))"
        )
        for file in todo:
            await _apply(connection, file)
    before = tuple(f"{row.part}/migrations/{row.number:04}_{row.name}.sql" for row in applied)
    return Report(before, tuple(file.title for file in todo), dry_run)


async def _applied(connection: Connection) -> list[Applied]:
    if await connection.fetchval(f"SELECT to_regclass('{SCHEMA}.migrations')") is None:
        return []
    rows = await connection.fetch(
        f"SELECT part, number, name, checksum, applied_at FROM {SCHEMA}.migrations ORDER BY applied_at, part, number"
    )
    return [Applied(**row) for row in rows]


async def _apply(connection: Connection, file: Migration) -> None:
    others = await _others(connection)
    try:
        await connection.execute(file.text)
    except asyncpg.InsufficientPrivilegeError:
        raise
    except asyncpg.PostgresError as error:
        where = _line(file.text, getattr(error, "position", None))
        raise MigrationError(
            "migration-failed", f"{file.title}{where}: {error}; nothing was changed"
        ) from error
    if foreign := await _reached(connection, others):
        raise MigrationError(
            "migration-foreign",
            f"{file.title} changes {foreign}, outside schema {SCHEMA}; nothing was changed",
        )
    await connection.execute(
        f"INSERT INTO {SCHEMA}.migrations (part, number, name, checksum) VALUES ($1, $2, $3, $4)",
        file.part,
        file.number,
        file.name,
        file.checksum,
    )


# Relations in other schemas; TOAST tables and temporary ones belong to anybody.
_OTHERS = """
SELECT r.oid::bigint, n.nspname || '.' || r.relname
FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE n.nspname <> $1 AND n.nspname !~ '^pg_'
"""

# Rows of the catalogue that this transaction wrote, in other schemas; tables first, since they are what one looks for.
_FOREIGN = """
SELECT n.nspname || '.' || c.name FROM (
  SELECT 1 AS rank, relnamespace AS namespace, relname AS name, xmin FROM pg_class
  UNION ALL SELECT 2, r.relnamespace, r.relname || '.' || a.attname, a.xmin
    FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid
  UNION ALL SELECT 2, r.relnamespace, t.tgname, t.xmin FROM pg_trigger t JOIN pg_class r ON r.oid = t.tgrelid
  UNION ALL SELECT 2, connamespace, conname, xmin FROM pg_constraint
  UNION ALL SELECT 2, pronamespace, proname, xmin FROM pg_proc
  UNION ALL SELECT 3, typnamespace, typname, xmin FROM pg_type
) c JOIN pg_namespace n ON n.oid = c.namespace
WHERE c.xmin::text::bigint = txid_current() % 4294967296 AND n.nspname <> $1 AND n.nspname !~ '^pg_'
ORDER BY c.rank, 1 LIMIT 1
"""


async def _reached(connection: Connection, others: dict[int, str]) -> str | None:
    """What of another schema this transaction wrote or dropped, if anything. `others`: what was there before."""
    written: str | None = await connection.fetchval(_FOREIGN, SCHEMA)
    if written is not None:
        return written
    left = await _others(connection)
    return next((name for oid, name in others.items() if oid not in left), None)


async def _others(connection: Connection) -> dict[int, str]:
    rows = await connection.fetch(_OTHERS, SCHEMA)
    return {row[0]: row[1] for row in rows}


def _read(part: str, file: Path) -> Migration:
    named = _FILE.fullmatch(file.name)
    if named is None:
        raise MigrationError("migrations-unreadable", f"{file}: name it NNNN_what_it_does.sql")
    return Migration(part, int(named["number"]), named["name"], file.read_text("utf-8"))


def _line(text: str, position: str | None) -> str:
    return f":{text.count(chr(10), 0, int(position) - 1) + 1}" if position else ""


async def _connect(url: str) -> Connection:
    try:
        # No statement cache: the way to PostgreSQL may lead through a pooler.
        return await asyncpg.connect(url, timeout=CONNECT_SECONDS, statement_cache_size=0)
    except asyncpg.InvalidCatalogNameError as error:
        raise MigrationError(
            "database-refused", f"{_place(url)}: {error}; create the database first"
        ) from error
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise MigrationError(
            "database-refused", f"{_place(url)}: {error}; check user and password"
        ) from error
    except ValueError as error:
        raise MigrationError(
            "database-refused", f"not a database URL ({error}); write postgres://user:password@host:port/name"
        ) from error
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error) or type(error).__name__
        raise MigrationError(
            "database-away",
            f"no connection to {_place(url)}: {reason}; is PostgreSQL running, and the URL right?",
        ) from error


def _place(url: str) -> str:
    """Where a URL leads, without its password."""
    parts = urllib.parse.urlsplit(url)
    return f"PostgreSQL at {parts.hostname or 'localhost'}:{parts.port or 5432}{parts.path}"
