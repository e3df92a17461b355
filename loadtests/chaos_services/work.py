# SPDX-License-Identifier: AGPL-3.0-or-later
"""A job and a message in one transaction, again and again; and, run as a module, the process that does the jobs."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from railscompat import sidekiq
from services.app import jobs as program
from services.kernel.clock import system_clock
from services.kernel.db import Database
from services.kernel.errors import UnavailableError
from services.kernel.jobs import queue
from services.kernel.jobs.kinds import Kind, Work
from services.kernel.jobs.worker import Pace
from services.kernel.outbox import push_to_sidekiq
from services.kernel.sql import Statement

EFFECTS: Final = "CREATE TABLE chaos_effects (number bigint NOT NULL)"
"""Where jobs leave what they did."""
QUEUE: Final = "chaos"
"""Where in Redis messages arrive."""
PAUSE: Final = 0.05
PACE: Final = Pace(look_every=0.5, dead_after=3.0, grace=5.0)

_EFFECT = Statement("effect", "INSERT INTO chaos_effects (number) VALUES ($1)", (), Path(__file__), 0)


class Mark(msgspec.Struct, frozen=True):
    """Write the number down."""

    number: int


async def _mark(work: Work, payload: Mark) -> None:
    await work.session.fetch(_EFFECT, [payload.number])


MARK: Final = Kind("mark", Mark, _mark, first_pause=0.2, longest_pause=1.0)


@dataclass(slots=True)
class Writer:
    """Numbers of transactions that held, and of those of which nobody knows: PostgreSQL went away under them."""

    database: Database
    held: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)

    async def run(self) -> None:
        """Write without end."""
        number = 0
        while True:
            number += 1
            try:
                await self._write(number)
                self.held.add(number)
            except UnavailableError:
                self.unsure.add(number)
            await asyncio.sleep(PAUSE)

    async def _write(self, number: int) -> None:
        now = system_clock()
        job = sidekiq.new_job("Chaos", [number], jid=f"{number:024x}", now=now, queue=QUEUE)
        async with self.database.session() as session:

            async def both() -> None:
                await queue.enqueue(session, MARK, Mark(number))
                await push_to_sidekiq(session, job, now=now)

            await session.atomically(both)


if __name__ == "__main__":
    program.serve(os.environ, lambda line: print(line, flush=True), kinds=[MARK], pace=PACE, planned=())
