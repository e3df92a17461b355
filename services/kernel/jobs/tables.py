# SPDX-License-Identifier: AGPL-3.0-or-later
"""PgQueuer's tables, made and upgraded by PgQueuer itself. `banyan migrate` calls this after our own files."""

from __future__ import annotations

from importlib.metadata import version

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver

from services.kernel.columns import Connection
from services.kernel.jobs.queue import SCHEMA, queries_on


async def bring_up_to_date(connection: Connection, *, dry_run: bool = False) -> str:
    """Make or upgrade the tables; schema `banyan` must be there. What was done (or would be), empty where nothing.

    Raises what asyncpg raises. Not one transaction: PostgreSQL lets a new value of an enum be used only after a commit.
    Every step leaves tables that work, and a second run goes on where the first ended.
    """
    queries = queries_on(AsyncpgDriver(connection))
    async with queries.schema_lock():  # of two that run at once, one finds the tables there
        if not await queries.schema_is_installed():
            if not dry_run:
                await queries.install(create_schema=False)
            return f"PgQueuer {version('pgqueuer')}: its tables in schema {SCHEMA}"
    plan = await queries.plan_upgrade() if dry_run else await queries.apply_upgrade()
    steps = len(plan.statements)
    return f"PgQueuer {version('pgqueuer')}: {steps} changes of its tables" if steps else ""
