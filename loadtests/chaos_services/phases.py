# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is broken, one thing after the other, and how it is judged."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import asyncpg
import msgspec

from contracts.corpus import Corpus
from loadtests.chaos_services.load import DATABASE, NOTHING, REDIS, Load, asking
from loadtests.chaos_services.work import Writer
from loadtests.chaos_services.world import DATABASE as NAME
from loadtests.chaos_services.world import World, running

GOAL: Final = 2.0
"""Seconds to recover in."""
PATIENCE: Final = 90.0
"""Seconds that are waited for what must become so."""

Fault = Callable[[World, float], AbstractAsyncContextManager[None]]
"""Breaks something for so many seconds; the end of the block is the end of the fault."""


class Phase(msgspec.Struct, frozen=True):
    """What was seen. `recovery`: seconds from the fault's end to the last failure, None where it went on."""

    name: str
    seconds: float
    answers: dict[str, dict[str, int]]
    wrong: list[str]
    recovery: float | None


class Result(msgspec.Struct, frozen=True):
    """A run. `wrong` is what was claimed and did not hold, but for times."""

    phases: list[Phase]
    held: int
    """Transactions that held; `unsure`: those of which the writer could not know."""
    unsure: int
    lost_jobs: int
    lost_messages: int
    repeated_messages: int
    wrong: list[str]

    @property
    def is_in_time(self) -> bool:
        """Whether every recovery met the goal."""
        return all(phase.recovery is not None and phase.recovery < GOAL for phase in self.phases)


def judged(answers: Mapping[str, Counter[str]], may_fail: frozenset[str]) -> list[str]:
    """What was answered and must not be. `may_fail`: the needs whose answers may be 503."""
    wrong = []
    for need, counted in answers.items():
        allowed = {"200", "503"} if need in may_fail else {"200"}
        wrong += [f"{need}: {said} {number} times" for said, number in counted.items() if said not in allowed]
    return wrong


def compared(seen: Counter[int], writer: Writer) -> tuple[int, int, int]:
    """How many of the transactions that held are not seen, how many are seen again, and how many never held."""
    lost = len(writer.held - seen.keys())
    return lost, seen.total() - len(seen), len(seen.keys() - writer.held - writer.unsure)


@asynccontextmanager
async def _nothing(_world: World, seconds: float) -> AsyncIterator[None]:
    await asyncio.sleep(seconds)
    yield


@asynccontextmanager
async def _locked(world: World, seconds: float) -> AsyncIterator[None]:
    connection = await asyncpg.connect(world.postgres.url(NAME))
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE reactions IN ACCESS EXCLUSIVE MODE")
            await asyncio.sleep(seconds)
        yield
    finally:
        await connection.close()


@asynccontextmanager
async def _frozen(world: World, seconds: float) -> AsyncIterator[None]:
    pids = await world.backends()
    _signal(pids, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        _signal(pids, signal.SIGCONT)
    yield


def _signal(pids: list[int], what: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, what)


@asynccontextmanager
async def _postgres_away(world: World, seconds: float) -> AsyncIterator[None]:
    await asyncio.to_thread(world.postgres.halt)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(world.postgres.restart)
    yield


@asynccontextmanager
async def _postgres_restarted(world: World, _seconds: float) -> AsyncIterator[None]:
    await asyncio.to_thread(world.postgres.restart)
    yield


@asynccontextmanager
async def _redis_away(world: World, seconds: float) -> AsyncIterator[None]:
    await asyncio.to_thread(world.valkey.halt)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(world.valkey.restart)
    yield


@asynccontextmanager
async def _redis_restarted(world: World, _seconds: float) -> AsyncIterator[None]:
    await asyncio.to_thread(world.valkey.restart)
    yield


PHASES: Final[tuple[tuple[str, Fault, frozenset[str]], ...]] = (
    ("nothing is broken", _nothing, frozenset()),
    ("a table is locked", _locked, frozenset((DATABASE, REDIS))),
    ("PostgreSQL's processes are frozen", _frozen, frozenset((DATABASE, REDIS))),
    ("PostgreSQL is stopped, then started", _postgres_away, frozenset((DATABASE, REDIS))),
    ("PostgreSQL is restarted", _postgres_restarted, frozenset((DATABASE, REDIS))),
    ("Redis is stopped, then started", _redis_away, frozenset((REDIS,))),
    ("Redis is restarted", _redis_restarted, frozenset((REDIS,))),
)


async def run(
    corpus: Corpus, *, seconds: float, workers: int, clients: int, calm: float, say: Callable[[str], None]
) -> Result:
    """All phases, `seconds` of each fault; `calm` without failure ends a phase."""
    async with running(corpus, workers) as world:
        writer = Writer(world.database)
        writing = asyncio.create_task(writer.run())
        phases = []
        try:
            async with asking(world.url, world.cookies, clients) as load:
                await load.recovered(time.monotonic(), calm)  # everybody is warm
                for name, fault, may_fail in PHASES:
                    phases.append(await _phase(world, load, name, fault, may_fail, seconds, calm))
                    say(_line(phases[-1]))
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        return await _ended(world, writer, phases)


async def _phase(
    world: World,
    load: Load,
    name: str,
    fault: Fault,
    may_fail: frozenset[str],
    seconds: float,
    calm: float,
) -> Phase:
    load.begin()
    began = time.monotonic()
    async with fault(world, seconds):
        over = time.monotonic()
    recovery = await load.recovered(over, calm)
    told = {need: dict(sorted(counted.items())) for need, counted in load.answers.items()}
    return Phase(name, round(over - began, 2), told, judged(load.answers, may_fail), recovery)


async def _ended(world: World, writer: Writer, phases: list[Phase]) -> Result:
    """Let what waits be done, and count."""
    wrong = [f"{phase.name}: {one}" for phase in phases for one in phase.wrong]
    wrong += [f"{phase.name}: it went on failing" for phase in phases if phase.recovery is None]
    deadline = time.monotonic() + PATIENCE
    while await world.to_do() and time.monotonic() < deadline:  # noqa: ASYNC110 - other processes set no event
        await asyncio.sleep(0.1)
    if waiting := await world.to_do():
        wrong.append(f"{waiting} jobs and messages still wait")
    wrong += [f"a connection is stuck: {one}" for one in await world.stuck()]
    lost_jobs, again, never = compared(await world.effects(), writer)
    lost_messages, repeated, invented = compared(await world.messages(), writer)
    for number, what in (
        (lost_jobs, "jobs were lost"),
        (again, "effects of jobs are there again"),
        (never, "jobs of no transaction were done"),
        (lost_messages, "messages were lost"),
        (invented, "messages of no transaction were told"),
    ):
        if number:
            wrong.append(f"{number} {what}")
    return Result(
        phases, len(writer.held), len(writer.unsure), lost_jobs, lost_messages, repeated, sorted(wrong)
    )


def _line(phase: Phase) -> str:
    told = "; ".join(
        f"{need} " + ", ".join(f"{said}: {number}" for said, number in phase.answers[need].items())
        for need in (NOTHING, DATABASE, REDIS)
    )
    recovery = "never" if phase.recovery is None else f"{phase.recovery:.2f} s"
    return f"{phase.name:36} {phase.seconds:5.1f} s  recovered after {recovery:8} {told}"
