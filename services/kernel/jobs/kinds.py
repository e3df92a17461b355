# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a job is. Pure but for the calls it holds."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import msgspec

from services.kernel.clock import Clock
from services.kernel.db import Session
from services.kernel.settings import Settings

Payload = TypeVar("Payload", bound=msgspec.Struct)


class DiscardError(Exception):
    """Raised by a job that has nothing to do any more: its record is gone, say. It counts as done."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a job is given. Its statements run in one transaction, which holds if the job does not raise.

    What is not a statement (mail, HTTP) belongs at the job's end, or in a job of its own: it may happen twice.
    """

    session: Session
    settings: Settings
    clock: Clock
    job_id: int
    attempt: int
    """1 for the first."""
    request_id: str
    """Of the request that asked for it; empty where none did."""
    tell_progress: Callable[[int, int], Awaitable[None]]

    async def progress(self, done: int, total: int) -> None:
        """Tell operators how far it is. Seen at once, whether or not the job succeeds."""
        await self.tell_progress(done, total)


@dataclass(frozen=True, slots=True)
class Kind(Generic[Payload]):
    """A kind of job.

    `tries` in all, with pauses of `first_pause` seconds, twice as long each time up to `longest_pause` (a fifth is
    chance, so that what failed together is not tried together). `unique` names a payload: a second job of that name is
    not enqueued while one is queued or runs. Higher `priority` first. `at_once`: how many may run, over all workers (0:
    any number). `seconds` one try may take.
    """

    name: str
    payload: type[Payload]
    run: Callable[[Work, Payload], Awaitable[None]]
    tries: int = 12
    first_pause: float = 15.0
    longest_pause: float = 6 * 3600.0
    unique: Callable[[Payload], str] | None = None
    priority: int = 0
    at_once: int = 0
    seconds: float = 600.0

    def pause_after(self, attempt: int, chance: float) -> timedelta:
        """How long to wait after try number `attempt` (from 1) failed. `chance`: 0 to 1."""
        whole = min(self.first_pause * 2.0 ** min(attempt - 1, 30), self.longest_pause)
        return timedelta(seconds=whole * (1.0 + 0.2 * chance))


@dataclass(frozen=True, slots=True)
class Schedule:
    """Enqueues `kind` by the clock: `cron` in UTC, five fields. `payload` is made from the moment it was due.

    `legacies`: Rails does the same at the same time. It stays off until Rails' own is (`BANYAN_SCHEDULES=on`), or mails
    would go twice.
    """

    kind: Kind[Any]
    cron: str
    payload: Callable[[datetime], msgspec.Struct]
    legacies: bool = True


def by_name(kinds: Iterable[Kind[Any]]) -> dict[str, Kind[Any]]:
    """Kinds by their names. Raises ValueError for a name used twice."""
    named: dict[str, Kind[Any]] = {}
    for kind in kinds:
        if kind.name in named:
            raise ValueError(f"two kinds of jobs are named {kind.name!r}")
        named[kind.name] = kind
    return named


def chance() -> float:
    """0 to 1."""
    return random.random()
