# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether PostgreSQL has what this program needs: it answers, and schema `banyan` is there and new enough.

`banyan migrate` makes the schema: by our files in `services/migrations`, and by the job queue's library. A file
that is not recorded as applied is missing; so is every table that we may not read. Files of a newer release that
were applied already are none of our business: the database is upgraded first, then the programs.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import msgspec

from services.kernel import sql
from services.kernel.db import Database
from services.kernel.errors import UnavailableError
from services.kernel.jobs.queue import NAMES

REMEDY: Final = (
    "run `banyan migrate` on this database, and let our user read and write what is in schema banyan"
)

READY_SECONDS: Final = 2.0

TABLES: Final = {
    "jobs": (
        "jobs_done",
        "jobs_progress",
        NAMES.queue_table,
        NAMES.queue_table_log,
        NAMES.schedules_table,
    ),
    "outbox": ("outbox",),
}
"""What needs which tables of schema `banyan`."""

_FILE = re.compile(r"(\d{4})_\w+\.sql")
MIGRATIONS: Final = {
    int(named[1]): f"services/migrations/{file.name}"
    for file in sorted(Path(__file__).parents[1].joinpath("migrations").iterdir())
    if (named := _FILE.fullmatch(file.name))
}
"""Our files by their numbers."""

_queries = sql.load(__file__)
_tables = _queries.values("tables_in_reach", str)
_applied = _queries.values("migrations_applied", int)


class Readiness(msgspec.Struct, frozen=True):
    """What was found. `missing` names what needs `banyan migrate`: `jobs`, `outbox`, files."""

    database: bool
    missing: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether requests can be answered."""
        return self.database and not self.missing

    def told(self) -> dict[str, Any]:
        """For whoever asks `/ready`."""
        if not self.database:
            return {"database": "away"}
        if not self.missing:
            return {"database": "ok", "migrations": "ok"}
        return {"database": "ok", "migrations": "missing", "missing": list(self.missing), "remedy": REMEDY}


def missing(tables: Collection[str], applied: Collection[int]) -> tuple[str, ...]:
    """What is not there, of the tables and files that are needed. Pure."""
    parts = [part for part, needed in TABLES.items() if not set(needed) <= set(tables)]
    return (*parts, *(file for number, file in MIGRATIONS.items() if number not in applied))


async def readiness(database: Database) -> Readiness:
    """Look, for two seconds at most; a PostgreSQL that needs longer is away."""
    try:
        async with asyncio.timeout(READY_SECONDS), database.session(reads_only=True) as session:
            tables = await _tables(session)
            applied = await _applied(session) if "migrations" in tables else []
    except (TimeoutError, UnavailableError):
        return Readiness(database=False)
    return Readiness(database=True, missing=missing(tables, applied))
