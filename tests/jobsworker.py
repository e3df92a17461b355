# SPDX-License-Identifier: AGPL-3.0-or-later
"""A worker process with kinds of jobs made for tests: `python -m tests.jobsworker` with the services' environment.

Every kind writes what it did into the table `effects`, which a test makes.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from services.app import jobs as program
from services.kernel.jobs.kinds import DiscardError, Kind, Work
from services.kernel.jobs.worker import Pace
from services.kernel.sql import Statement


class Note(msgspec.Struct, frozen=True):
    """Write `text`, after so many seconds; `fails` so many times before."""

    text: str
    seconds: float = 0.0
    fails: int = 0


_NOTE = Statement("note", "INSERT INTO effects (text, attempt) VALUES ($1, $2)", (), Path(__file__), 0)


async def _note(work: Work, payload: Note) -> None:
    await work.session.fetch(_NOTE, [payload.text, work.attempt])
    await asyncio.sleep(payload.seconds)
    if payload.text == "gone":
        raise DiscardError
    if work.attempt <= payload.fails:
        raise ValueError(f"a secret: {payload.text}")
    if payload.text == "long":
        await work.progress(3, 10)


NOTE = Kind("note", Note, _note, tries=3, first_pause=0.05, longest_pause=0.1)
SINGLE = Kind("single", Note, _note, unique=lambda note: note.text)
QUICK = Kind("quick", Note, _note, tries=1, seconds=0.1)

KINDS = (NOTE, SINGLE, QUICK)
PACE = Pace(at_once=10, look_every=0.2, dead_after=1.0, grace=0.5)


if __name__ == "__main__":
    program.serve(os.environ, lambda line: print(line, flush=True), kinds=KINDS, pace=PACE, planned=())
    sys.exit(0)
