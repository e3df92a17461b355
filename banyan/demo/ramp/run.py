# SPDX-License-Identifier: AGPL-3.0-or-later
"""A ramp from start to end: start it, let people visit, break something at the top, watch."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
from rich.console import Console

from banyan.demo.admin import Admin, AdminUnreachableError, Unit
from banyan.demo.crowd import Crowd, Traffic, visitors
from banyan.demo.judge import Kind, Verdict
from banyan.demo.live import SIDES
from banyan.demo.observer import settled
from banyan.demo.ramp.front import Front
from banyan.demo.ramp.report import TOP_SECONDS, ramp_report, ramp_shortcomings
from banyan.demo.ramp.story import Story
from banyan.demo.ramp.view import Watched, plain_line, render
from banyan.demo.report import make_report
from banyan.demo.routing_file import NoRoutingFileError, block_of, find_ramp
from banyan.demo.shell import (
    FRAME_SECONDS,
    Interruption,
    Options,
    Outcome,
    interruptible,
    painted,
    progress_on,
    recordings,
    visited,
)
from banyan.demo.stack import Arrangement, Stack, running_stack
from banyan.demo.tally import Tally
from contracts.corpus import Corpus
from contracts.traffic import Mix, ReadyRequest

_RATE: Final = 150.0
_STAY: Final = (2, 5)
"""Short visits: many people come by, so that 1 % of them is somebody."""

_LEGACY: Final = ("--latency-ms", "30", "--jitter-ms", "15")
"""The recorded legacy takes as long as Rails did for such reads, or the new side could only look slow."""

_NOTES: Final = [
    "the recorded legacy waits 30 ms and more before it answers, as Rails did",
    "somebody else comes after every few requests, so that 1 % of them is somebody",
]

_BY: Final = "demo"
_FAILING: Final = 0.4
"""The part of its answers that the new side fails at once. Half broken is worse than dead: no health check sees it."""

_ALL_WELL_SECONDS: Final = 3.0
"""How long the top is enjoyed before something breaks, and the peace after the way back."""

_GIVE_UP_SECONDS: Final = 15.0
"""How long a way back is waited for."""

_LOOK_SECONDS: Final = 0.5
_WATCH_SECONDS: Final = 0.1
_WINDOW_SECONDS: Final = 3.0
_PATIENCE_SECONDS: Final = 5.0
_LINE_SECONDS: Final = 5.0


async def run(options: Options, console: Console) -> Outcome | None:
    """The whole ramp, in the running task. None: it was interrupted before anybody came.

    Raises what `running_stack` raises, `NoRoutingFileError` and `AdminUnreachableError`.
    """
    return await interruptible(lambda interruption: _ramp(options, console, interruption))


async def _ramp(options: Options, console: Console, interruption: Interruption) -> Outcome:
    corpus = Corpus.open(options.corpus)
    progress = progress_on(console)
    front = Front(Random())
    arrangement = Arrangement(legacy=_LEGACY, before_services=front.before, keeps=True)
    with tempfile.TemporaryDirectory(prefix="banyan-demo-") as spare:
        config = find_ramp(options.config, Path(spare)).absolute()
        async with running_stack(corpus, config, progress=progress, arrangement=arrangement) as stack:
            requests, _, _ = await asyncio.to_thread(recordings, corpus)
            progress(f"ready: edge {stack.edge_url}, dashboard {stack.admin_url}/dashboard/")
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
                admin = Admin(session, stack.admin_url)
                unit = await _ramped(admin, config)
                console.print(_announced(config, unit, options.seconds))
                play = _Play(corpus, stack, admin, front, unit, console)
                return await play.play(requests, options.seconds, interruption)


async def _ramped(admin: Admin, config: Path) -> Unit:
    """The first unit with a ramp."""
    for unit in await admin.units():
        if unit.steps:
            return unit
    raise NoRoutingFileError(f"{config}: no group has a ramp")


def _announced(config: Path, unit: Unit, seconds: float | None) -> str:
    text = config.read_text("utf-8", "replace")
    lines = [f"\n{unit.unit} climbs by this policy of {config.name}:", "", *block_of(text, "ramps"), ""]
    if seconds is not None:
        lines += [f"The story takes about a minute; --seconds {seconds:g} counts where that is longer.", ""]
    return "\n".join(lines)


class _Play:
    """One performance."""

    def __init__(
        self, corpus: Corpus, stack: Stack, admin: Admin, front: Front, unit: Unit, console: Console
    ) -> None:
        self._corpus = corpus
        self._stack = stack
        self._admin = admin
        self._front = front
        self._console = console
        self._tally = Tally()
        self._group_of: dict[tuple[str, str], str] = {}
        self._pace = _LOOK_SECONDS
        self._told = 0
        self._story = Story(unit.steps[-1])
        self._watched = Watched(unit, self._story, stack.edge_url, f"{stack.admin_url}/dashboard/")

    async def play(
        self, requests: list[ReadyRequest], seconds: float | None, interruption: Interruption
    ) -> Outcome:
        """All of it."""
        crowd = await self._people(requests)
        watched, story = self._watched, self._story
        await visited(
            crowd, interruption, self._happen(seconds), self._watch(), self._stack.watch(), self._show()
        )
        self._tell()
        self._console.print()
        interrupted = interruption.event.is_set()
        stats = await settled(self._admin, self._tally.requests)
        ramp = ramp_report(watched.unit.unit, story, watched.account, watched.dashboard)
        report = make_report(watched.elapsed, self._tally, stats, SIDES, _NOTES)
        failed = ramp_shortcomings(ramp, story.taken_back, interrupted=interrupted)
        return Outcome(msgspec.structs.replace(report, ramp=ramp), failed)

    async def _people(self, requests: list[ReadyRequest]) -> Crowd:
        """The visitors, who ask nothing but what the unit serves. Raises `NoRoutingFileError`."""
        unit = self._watched.unit
        self._group_of = await self._admin.groups_of((one.method, one.target) for one in requests)
        asked = [one for one in requests if self._group(one) in unit.groups]
        if not asked:
            raise NoRoutingFileError(f"nothing was recorded of what {unit.unit} serves")
        traffic = Traffic(Mix(asked, list(self._corpus.journeys())))
        random = Random()
        address = urlsplit(self._stack.edge_url)
        return Crowd(
            lambda: traffic,
            visitors(traffic.all.actors, self._corpus.sessions, random),
            (address.hostname or "", address.port or 0),
            self._count,
            random,
            rate=_RATE,
            stay=_STAY,
        )

    def _group(self, request: ReadyRequest) -> str:
        return self._group_of[request.method, request.target]

    def _count(self, request: ReadyRequest, verdict: Verdict, seconds: float | None) -> None:
        now = time.time()
        self._tally.add(self._group(request), request.case, verdict, seconds)
        self._watched.account.add(now - (seconds or 0.0), now, right=verdict.kind is Kind.SAME)

    # -- what happens ---------------------------------------------------------------------------------------------

    async def _happen(self, seconds: float | None) -> None:
        """The plot. Ends when it is told, and not before `seconds`."""
        began = time.monotonic()
        ticking = asyncio.create_task(self._tick(began))
        try:
            await self._admin.start(self._watched.unit.unit, _BY, "a demo")
            if await self._reaches(lambda: self._story.reached_at is not None, TOP_SECONDS):
                await asyncio.sleep(_ALL_WELL_SECONDS)
                await self._break()
            left = 0.0 if seconds is None else seconds - (time.monotonic() - began)
            if left > 0:
                await asyncio.sleep(left)
        finally:
            ticking.cancel()

    async def _break(self) -> None:
        """Spoil answers, and see what comes of it."""
        self._pace = _WATCH_SECONDS
        now = time.time()
        self._watched.account.failed_at = now
        self._story.fault(now, self._watched.unit.share, _FAILING)
        self._front.failing = _FAILING
        if await self._reaches(lambda: self._story.back_at is not None, _GIVE_UP_SECONDS):
            await asyncio.sleep(_ALL_WELL_SECONDS)
            self._story.tell(time.time(), "the new side still fails, and nobody meets it any more")
        self._pace = _LOOK_SECONDS

    async def _reaches(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until something is so; False where it does not come, or the ramp was taken back before."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self._story.taken_back or time.monotonic() > deadline:
                return False
            await asyncio.sleep(_WATCH_SECONDS)
        return True

    async def _tick(self, began: float) -> None:
        while True:
            self._watched.elapsed = time.monotonic() - began
            await asyncio.sleep(_WATCH_SECONDS)

    # -- what is seen ---------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Look again and again; never returns. Raises `AdminUnreachableError` after some seconds of silence."""
        answered = time.monotonic()
        while True:
            try:
                await self._look()
                answered = time.monotonic()
            except AdminUnreachableError:
                if time.monotonic() - answered > _PATIENCE_SECONDS:
                    raise
            await asyncio.sleep(self._pace)

    async def _look(self) -> None:
        watched = self._watched
        self._story.follow(await self._admin.history(watched.unit.unit))
        watched.account.back_at = self._story.back_at
        watched.unit = await self._admin.unit(watched.unit.unit)
        watched.stats = await self._admin.stats(_WINDOW_SECONDS)

    def _show(self) -> Coroutine[object, object, None]:
        if self._console.is_terminal:
            return painted(self._console, partial(render, self._watched))
        return self._in_lines()

    async def _in_lines(self) -> None:
        """A line every few seconds, and the story as it goes on."""
        line_due = _LINE_SECONDS
        while True:
            self._tell()
            if self._watched.elapsed >= line_due:
                self._console.print(plain_line(self._watched))
                line_due = self._watched.elapsed + _LINE_SECONDS
            await asyncio.sleep(FRAME_SECONDS)

    def _tell(self) -> None:
        """Print what was not told yet: as it comes, or in one piece where a screen showed it before."""
        for line in self._story.lines[self._told :]:
            self._console.print(line)
        self._told = len(self._story.lines)
