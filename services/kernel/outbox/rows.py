# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rows of the outbox."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from railscompat import sidekiq
from services.kernel import sql
from services.kernel.db import Session

PUBLISH, SIDEKIQ = "publish", "sidekiq"

_QUERIES = sql.load(__file__)


class Row(msgspec.Struct, frozen=True):
    """Something to tell: `target` is how, `name` the channel or the queue."""

    id: int
    target: str
    name: str
    payload: str


class Waiting(msgspec.Struct, frozen=True):
    """How many rows wait, and for how many seconds the oldest one has."""

    number: int
    seconds: float


turn = _QUERIES.values("outbox_turn", bool)
first = _QUERIES.many("outbox_first", Row)
told = _QUERIES.values("outbox_told", int)
waiting = _QUERIES.one("outbox_waiting", Waiting)
_add = _QUERIES.values("outbox_add", int)


async def publish(session: Session, channel: str, document: Any, *, key: str | None = None) -> None:
    """Publish `document` as JSON on a Redis channel, once the transaction under way holds.

    While a row of the same `key` waits, nothing is added. Raises `UnavailableError`.
    """
    await _add(session, target=PUBLISH, name=channel, payload=msgspec.json.encode(document).decode(), key=key)
    await session.after_commit(session.wake_publisher)


async def push_to_sidekiq(session: Session, job: sidekiq.Job, *, now: datetime) -> None:
    """Have Rails' Sidekiq run `job`, once the transaction under way holds. Raises JobError, `UnavailableError`."""
    (_, (*_, payload)) = sidekiq.push_commands(job, now=now)
    await _add(session, target=SIDEKIQ, name=job.queue, payload=payload, key=f"sidekiq:{job.jid}")
    await session.after_commit(session.wake_publisher)
