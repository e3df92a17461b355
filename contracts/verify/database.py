# SPDX-License-Identifier: AGPL-3.0-or-later
"""The database under test: laid back to what the corpus holds, and compared with that, row by row.

A copy of the corpus' rows lies in a schema of its own (`SCHEMA`) in the same database. One query hashes every table of
both; only tables that differ are looked at closer. So a case costs some tens of milliseconds, whatever it changed, the
application keeps its connections, and a run that broke off leaves nothing that the next one would not put right.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import asyncpg

from contracts.corpus import Corpus, TableEffect, Updated
from contracts.dump import DumpError, Rows, Script, parse_dump

SCHEMA = "banyan_verify"
"""Where the copy lies. It is dropped at the end of a run."""

_SETVAL = re.compile(r"setval\('([^']+)',\s*(\d+),\s*(true|false)\)")
_CREATED = re.compile(r'CREATE TABLE (?:public\.)?"?([^"(]+?)"? \(')
_BOOKS = frozenset(("schema_migrations", "ar_internal_metadata"))
_LEAST_KNOWN = 0.9
_MOST_UNKNOWN = 0.1
"""Shares of rows from which on a database is the corpus' own: those of the corpus it holds, and others."""

_LOCK_TIMEOUT = "10s"

Row = dict[str, Any]
Change = tuple[Row | None, Row | None]
"""A row in the corpus and in the database; None where there is none."""

Delta = dict[str, dict[str, Change]]
"""Table → primary key, as JSON → what is different there from the corpus."""


class DatabaseError(Exception):
    """The database cannot be used for this; the message says why and what helps."""


class Table(NamedTuple):
    """What has to be known about a table. `key`: its primary key, or all columns where it has none."""

    name: str
    columns: tuple[str, ...]
    written: tuple[str, ...]
    """The columns that can be written: not generated."""
    shown: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def live(self) -> str:
        return f"public.{quoted(self.name)}"

    @property
    def copy(self) -> str:
        return f"{SCHEMA}.{quoted(self.name)}"


class Database:
    """One connection; see the module. Made by `Database.open`."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record], tables: dict[str, Table]) -> None:
        self.tables = tables
        self._connection = connection
        self._sequences: list[tuple[str, int, bool]] = []
        self._is_free = False
        self._known: dict[str, str] = {}

    @classmethod
    async def open(cls, url: str, corpus: Corpus, *, overwrite: bool = False) -> Database:
        """Connect, and lay a copy of the corpus' rows beside what is there.

        Raises `DatabaseError` where that is no database of this corpus; `overwrite` takes any with its tables.
        """
        connection = await _connect(url)
        try:
            await connection.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT}'")
            database = cls(connection, {table.name: table for table in await _tables(connection)})
            await database._copy(corpus)
            if not overwrite:
                await database._require_own()
            await database._find_freedom()
            database._known = await database._hashes("copy")
        except asyncpg.PostgresError as error:
            await connection.close()
            raise DatabaseError(f"PostgreSQL refused: {error}") from error
        except BaseException:
            await connection.close()
            raise
        return database

    async def close(self) -> None:
        """Drop the copy and disconnect."""
        try:
            await self._connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        finally:
            await self._connection.close()

    async def run(self, statement: str) -> None:
        """Run SQL of a case's setup. Raises `DatabaseError`."""
        try:
            await self._connection.execute(statement)
        except asyncpg.PostgresError as error:
            raise DatabaseError(f"setup failed: {error}: {statement[:200]}") from error

    async def restore(self) -> None:
        """Make it what the corpus holds, the positions of the sequences included. Raises `DatabaseError`."""
        try:
            changed = await self._changed()
            if changed:
                async with self._connection.transaction():
                    await self._lay_back(changed)
                if left := await self._changed():
                    raise DatabaseError(f"rows of {', '.join(left)} do not stay as they were (a trigger?)")
            positions = ", ".join(
                f"setval('{name}', {value}, {called})" for name, value, called in self._sequences
            )
            if positions:
                await self._connection.execute(f"SELECT {positions}")
        except asyncpg.PostgresError as error:
            raise DatabaseError(f"the database cannot be restored: {error}") from error

    async def delta(self) -> Delta:
        """What is different from the corpus."""
        found: Delta = {}
        for name in await self._changed():
            table = self.tables[name]
            rows = await self._connection.fetch(
                f"SELECT to_jsonb(banyan_then) AS then, to_jsonb(banyan_now) AS now"
                f" FROM {table.copy} banyan_then FULL JOIN {table.live} banyan_now"
                f" ON {_same(table.key, 'banyan_then', 'banyan_now')}"
                f" WHERE banyan_then::text IS DISTINCT FROM banyan_now::text"
            )
            changes = ((_shown(table, row["then"]), _shown(table, row["now"])) for row in rows)
            found[name] = {key_of(table, now if then is None else then): (then, now) for then, now in changes}
        return found

    async def _copy(self, corpus: Corpus) -> None:
        await self._connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}")
        with corpus.schema_sql() as stream:
            known = set(_CREATED.findall(stream.read()))
        # Tables that the corpus does not know, and the books of Rails' migrations, stay as they are.
        self.tables = {
            name: table for name, table in self.tables.items() if name in known and name not in _BOOKS
        }
        for table in self.tables.values():
            await self._connection.execute(f"CREATE UNLOGGED TABLE {table.copy} (LIKE {table.live})")
        try:
            for part in _parts(corpus):
                if isinstance(part, Script):
                    self._sequences += [
                        (name, int(value), called == "true")
                        for name, value, called in _SETVAL.findall(part.text)
                    ]
                    continue
                if part.table in _BOOKS:
                    continue
                if part.table not in self.tables:
                    raise DatabaseError(
                        f"it has no table {part.table}; load the corpus first: banyan sample-db --url …"
                    )
                await self._connection.copy_to_table(
                    part.table, schema_name=SCHEMA, columns=part.columns, source=io.BytesIO(part.data)
                )
        except (DumpError, OSError, UnicodeDecodeError) as error:
            raise DatabaseError(f"{corpus.folder}: the dump can't be read: {error}") from error
        for table in self.tables.values():
            columns = ", ".join(quoted(column) for column in table.key)
            await self._connection.execute(f"CREATE INDEX ON {table.copy} ({columns}); ANALYZE {table.copy}")

    async def _require_own(self) -> None:
        counted = " UNION ALL ".join(
            f"SELECT (SELECT count(*) FROM {table.copy}), (SELECT count(*) FROM {table.live}),"
            f" (SELECT count(*) FROM {table.copy} one JOIN {table.live} other"
            f" ON {_same(table.key, 'one', 'other')})"
            for table in self.tables.values()
        )
        ours, theirs, common = await self._connection.fetchrow(
            f"SELECT sum(a)::bigint, sum(b)::bigint, sum(c)::bigint FROM ({counted}) AS counted (a, b, c)"
        ) or (0, 0, 0)
        if common < ours * _LEAST_KNOWN or theirs - common > ours * _MOST_UNKNOWN:
            await self._connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
            raise DatabaseError(
                f"it is not this corpus' database: of the corpus' {ours} rows it holds {common}, and "
                f"{theirs - common} others. All that would be overwritten. Load a database of its own with "
                "banyan sample-db --url …; where you are sure, say --yes-overwrite"
            )

    async def _find_freedom(self) -> None:
        """Whether triggers and foreign keys can be set aside while rows are laid back."""
        try:
            async with self._connection.transaction():
                await self._connection.execute("SET LOCAL session_replication_role = replica")
            self._is_free = True
        except asyncpg.InsufficientPrivilegeError:
            order = await _parents_first(self._connection, list(self.tables))
            self.tables = {name: self.tables[name] for name in order}

    async def _hashes(self, side: str) -> dict[str, str]:
        query = " UNION ALL ".join(
            f"SELECT '{table.name}' AS name,"
            f" count(*) || ' ' || coalesce(sum(hashtextextended(one::text, 0)), 0) AS digest"
            f" FROM {table.copy if side == 'copy' else table.live} one"
            for table in self.tables.values()
        )
        return {row["name"]: row["digest"] for row in await self._connection.fetch(query)}

    async def _changed(self) -> list[str]:
        """The tables that differ from the corpus, in the order of `tables`."""
        hashes = await self._hashes("live")
        return [name for name in self.tables if hashes[name] != self._known[name]]

    async def _lay_back(self, names: list[str]) -> None:
        if self._is_free:
            await self._connection.execute("SET LOCAL session_replication_role = replica")
        tables = [self.tables[name] for name in names]
        for table in reversed(tables):
            # Where foreign keys hold, a row that others point to has to stay and is set back in its place.
            same = "AND banyan_then::text = banyan_now::text" if self._is_free else ""
            await self._connection.execute(
                f"DELETE FROM {table.live} banyan_now WHERE NOT EXISTS (SELECT FROM {table.copy} banyan_then"
                f" WHERE {_same(table.key, 'banyan_then', 'banyan_now')} {same})"
            )
        for table in tables:
            columns = ", ".join(quoted(column) for column in table.written)
            values = ", ".join(f"banyan_then.{quoted(column)}" for column in table.written)
            same = _same(table.key, "banyan_then", "banyan_now")
            if not self._is_free:
                await self._connection.execute(
                    f"UPDATE {table.live} banyan_now SET ({columns}) = ROW({values}) FROM {table.copy} banyan_then"
                    f" WHERE {same} AND banyan_then::text <> banyan_now::text"
                )
            await self._connection.execute(
                f"INSERT INTO {table.live} ({columns}) OVERRIDING SYSTEM VALUE SELECT {values}"
                f" FROM {table.copy} banyan_then"
                f" WHERE NOT EXISTS (SELECT FROM {table.live} banyan_now WHERE {same})"
            )


def effects(tables: dict[str, Table], before: Delta, after: Delta) -> dict[str, TableEffect]:
    """What happened between two moments, in the form of recordings: rows sorted by key, untouched tables left out."""
    found: dict[str, TableEffect] = {}
    for name in sorted(before.keys() | after.keys()):
        effect = _effect(tables[name], before.get(name, {}), after.get(name, {}))
        if effect.insert or effect.update or effect.delete:
            found[name] = effect
    return found


def key_of(table: Table, row: Row | None) -> str:
    """The primary key of a row, as JSON."""
    return json.dumps([row[column] for column in table.key] if row else [])


def quoted(identifier: str) -> str:
    """`identifier` as SQL wants names that may hold anything."""
    return '"' + identifier.replace('"', '""') + '"'


def _effect(table: Table, before: dict[str, Change], after: dict[str, Change]) -> TableEffect:
    effect = TableEffect([], [], [])
    for key in sorted(before.keys() | after.keys(), key=json.loads):
        # Who is missing in a delta is as in the corpus, which the other delta then tells.
        base = (before.get(key) or after[key])[0]
        was = before[key][1] if key in before else base
        became = after[key][1] if key in after else base
        if was == became:
            continue
        if was is None and became is not None:
            effect.insert.append(became)
        elif became is None and was is not None:
            effect.delete.append(was)
        elif was is not None and became is not None:
            changed = {name: (was[name], value) for name, value in became.items() if was[name] != value}
            effect.update.append(Updated({name: was[name] for name in table.key}, changed))
    return effect


def _shown(table: Table, text: str | None) -> Row | None:
    if text is None:
        return None
    row = json.loads(text)
    return {name: row[name] for name in table.shown}


def _same(key: tuple[str, ...], one: str, other: str) -> str:
    return " AND ".join(f"{one}.{quoted(column)} = {other}.{quoted(column)}" for column in key)


def _parts(corpus: Corpus) -> Iterator[Script | Rows]:
    with corpus.data_sql() as stream:
        yield from parse_dump(stream)


async def _connect(url: str) -> asyncpg.Connection[asyncpg.Record]:
    if urlsplit(url).scheme not in ("postgres", "postgresql"):
        raise DatabaseError(
            "the address does not begin with postgres://; write postgres://user@host:port/NAME"
        )
    try:
        return await asyncpg.connect(url, timeout=10)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        where = urlsplit(url)
        raise DatabaseError(f"no connection to PostgreSQL at {where.hostname}: {error!r}") from error


async def _tables(connection: asyncpg.Connection[asyncpg.Record]) -> list[Table]:
    rows = await connection.fetch(
        """
        SELECT c.relname AS table, a.attname AS column, a.attgenerated <> '' AS generated,
               format_type(a.atttypid, NULL) AS type, array_position(i.indkey::int[], a.attnum::int) AS place
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
        ORDER BY c.relname, a.attnum
        """
    )
    columns: dict[str, list[asyncpg.Record]] = {}
    for row in rows:
        columns.setdefault(row["table"], []).append(row)
    return [_table(name, found) for name, found in columns.items()]


def _table(name: str, rows: list[asyncpg.Record]) -> Table:
    key = sorted((row for row in rows if row["place"] is not None), key=lambda row: row["place"])
    return Table(
        name,
        tuple(row["column"] for row in rows),
        tuple(row["column"] for row in rows if not row["generated"]),
        # A search index is derived from the texts beside it.
        tuple(row["column"] for row in rows if row["type"] != "tsvector"),
        tuple(row["column"] for row in key or rows),
    )


async def _parents_first(connection: asyncpg.Connection[asyncpg.Record], names: list[str]) -> list[str]:
    """The tables in an order in which rows can be inserted under foreign keys; circles stay as they come."""
    rows = await connection.fetch(
        "SELECT conrelid::regclass::text AS child, confrelid::regclass::text AS parent"
        " FROM pg_constraint WHERE contype = 'f'"
    )
    parents: dict[str, set[str]] = {}
    for row in rows:
        parents.setdefault(row["child"].removeprefix("public."), set()).add(
            row["parent"].removeprefix("public.")
        )
    ordered: dict[str, None] = {}

    def place(name: str, above: frozenset[str]) -> None:
        for parent in sorted(parents.get(name, ())):
            if parent not in above and parent in names:
                place(parent, above | {parent})
        ordered.setdefault(name)

    for name in names:
        place(name, frozenset((name,)))
    return list(ordered)
