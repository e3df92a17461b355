# SPDX-License-Identifier: AGPL-3.0-or-later
"""The queue as callers and operators see it: enqueue, look, retry, discard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import (
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import Channel
from pgqueuer.ports.driver import Driver

from services.kernel import sql
from services.kernel.db import Session
from services.kernel.jobs.kinds import Kind, Payload
from services.kernel.sql import Statement

SCHEMA = "banyan"
NAMES = DBSettings(prefix="", db_schema=SCHEMA, channel=Channel("banyan_jobs"))
"""Where PgQueuer's tables lie, and the channel that wakes workers."""

_QUERIES = sql.load(__file__)


class JobRow(msgspec.Struct, frozen=True):
    """A job as operators see it. Its payload is not shown: it may be about people."""

    id: int
    kind: str
    state: str
    priority: int
    attempts: int
    created: datetime
    due: datetime
    request_id: str | None
    done: int | None
    total: int | None
    error: str | None


class Counted(msgspec.Struct, frozen=True):
    """How many jobs of a kind are in a state. `waiting`: seconds that the longest overdue one has waited."""

    kind: str
    state: str
    number: int
    waiting: float


mark_done = _QUERIES.values("job_mark_done", str)
tell_progress = _QUERIES.command("job_tell_progress")
forget_done = _QUERIES.command("job_forget_done")
forget_log = _QUERIES.command("job_forget_log")
_there = _QUERIES.many("jobs_there", JobRow)
_counted = _QUERIES.many("jobs_counted", Counted)
_retry = _QUERIES.values("jobs_retry", int)
_discard = _QUERIES.values("jobs_discard", int)


async def enqueue(
    session: Session,
    kind: Kind[Payload],
    payload: Payload,
    *,
    after: timedelta | None = None,
    request_id: str = "",
) -> int | None:
    """Put a job into the queue: with the transaction under way, or at once where there is none.

    Its id; None where one of its name is there already (`Kind.unique`). `after` is counted from now. Raises
    `UnavailableError`.
    """
    ids = await queries_on(_Inserting(session)).enqueue(
        [kind.name],
        [msgspec.json.encode(payload)],
        [kind.priority],
        [after],
        [None if kind.unique is None else f"{kind.name}:{kind.unique(payload)}"],
        [{"request_id": request_id} if request_id else None],
        on_conflict="skip",
    )
    return ids[0]


async def jobs(
    session: Session, *, state: str | None = None, kind: str | None = None, most: int = 50
) -> list[JobRow]:
    """The newest jobs that are there."""
    return await _there(session, state=state, kind=kind, most=most)


async def counted(session: Session) -> list[Counted]:
    """How many jobs there are."""
    return await _counted(session)


async def retry(session: Session, ids: Sequence[int] | None = None, kind: str | None = None) -> list[int]:
    """Have failed jobs tried anew: these, or all of a kind, or all. Those it was done for."""
    return await _retry(session, ids=None if ids is None else list(ids), kind=kind)


async def discard(session: Session, ids: Sequence[int]) -> list[int]:
    """Drop jobs that are queued or failed. Those that were there."""
    return await _discard(session, ids=list(ids))


def queries_on(driver: Driver) -> Queries:
    """PgQueuer's statements under our names."""
    return Queries(
        driver, QueryBuilderEnvironment(NAMES), QueryQueueBuilder(NAMES), QuerySchedulerBuilder(NAMES)
    )


class _Inserting(AsyncpgDriver):
    """Lets PgQueuer's insertion run in a session, so in the caller's transaction. It can do nothing else."""

    def __init__(self, session: Session) -> None:  # in place of a connection of its own
        self._session = session

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        # The last argument of an insertion is a list of JSON texts; our connections take values there, or raw JSON.
        *plain, headers = args
        raw = [msgspec.Raw(text.encode()) for text in cast(list[str], headers)]
        statement = Statement("enqueue", query, (), Path(__file__), 0)
        rows: list[Any] = await self._session.fetch(statement, [*plain, raw])
        return [dict(row) for row in rows]
