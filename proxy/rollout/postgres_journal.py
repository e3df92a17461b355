# SPDX-License-Identifier: AGPL-3.0-or-later
"""The journal in PostgreSQL, table `banyan.rollout_journal`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, TypeVar

import asyncpg
import msgspec

from proxy.rollout.evidence import Proof
from proxy.rollout.ports import Entry, UnavailableError
from proxy.rollout.state import State
from proxy.rollout.verdict import Verdict

_PATIENCE: Final = 2.0
_COLUMNS: Final = "at, unit, event, by, reason, share_from, share_to, build, replica, state, evidence, proof"
_APPEND: Final = f"""
INSERT INTO banyan.rollout_journal ({_COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"""
_READ: Final = f"""
SELECT {_COLUMNS} FROM banyan.rollout_journal
WHERE $1::text IS NULL OR unit = $1 ORDER BY id DESC LIMIT $2"""
_LATEST: Final = """
SELECT DISTINCT ON (unit) unit, state FROM banyan.rollout_journal
WHERE state IS NOT NULL ORDER BY unit, id DESC"""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Found = TypeVar("Found")


class PostgresJournal:
    """One connection, made when it is needed and again when it broke."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None
        self._one_at_a_time = asyncio.Lock()

    async def append(self, entry: Entry) -> None:
        """As the port says."""
        values = (
            datetime.fromtimestamp(entry.at, UTC),
            *(entry.unit, entry.event, entry.by, entry.reason),
            *(round(entry.share_from, 2), round(entry.share_to, 2)),
            *(entry.build, entry.replica),
            None if entry.state is None else msgspec.json.encode(entry.state).decode(),
            msgspec.json.encode(entry.evidence).decode(),
            None if entry.proof is None else msgspec.json.encode(entry.proof).decode(),
        )
        await self._with(lambda connection: connection.execute(_APPEND, *values))

    async def read(self, unit: str | None, limit: int) -> list[Entry]:
        """As the port says."""
        rows = await self._with(lambda connection: connection.fetch(_READ, unit, limit))
        return [_entry(row) for row in rows]

    async def latest(self) -> dict[str, State]:
        """As the port says."""
        rows = await self._with(lambda connection: connection.fetch(_LATEST))
        return {row["unit"]: msgspec.json.decode(row["state"], type=State) for row in rows}

    async def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.terminate()

    async def _with(self, use: Callable[[Connection], Coroutine[Any, Any, Found]]) -> Found:
        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(_PATIENCE):
                    if self._connection is None or self._connection.is_closed():
                        self._connection = await asyncpg.connect(self._url)
                    return await use(self._connection)
            except asyncpg.UndefinedTableError:
                raise UnavailableError("the journal's table is missing: run `banyan migrate`") from None
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if self._connection is not None:
                    self._connection.terminate()
                    self._connection = None
                raise UnavailableError(f"PostgreSQL: {str(error) or type(error).__name__}") from None


def _entry(row: asyncpg.Record) -> Entry:
    return Entry(
        at=row["at"].timestamp(),
        unit=row["unit"],
        event=row["event"],
        by=row["by"],
        reason=row["reason"],
        share_from=float(row["share_from"]),
        share_to=float(row["share_to"]),
        build=row["build"],
        replica=row["replica"],
        state=None if row["state"] is None else msgspec.json.decode(row["state"], type=State),
        evidence=msgspec.json.decode(row["evidence"], type=tuple[Verdict, ...]),
        proof=None if row["proof"] is None else msgspec.json.decode(row["proof"], type=Proof),
    )
