# SPDX-License-Identifier: AGPL-3.0-or-later
"""A demo from start to end: the thin shell around the rest of the package."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from rich.console import Console
from rich.live import Live as Screen

from banyan.demo.admin import Admin
from banyan.demo.crowd import MOVING_SHARE, Crowd, visitors
from banyan.demo.judge import Verdict
from banyan.demo.live import SIDES, Live
from banyan.demo.observer import Observer, settled
from banyan.demo.report import Report, make_report, shortcomings
from banyan.demo.routing_file import find
from banyan.demo.stack import Stack, running_stack
from banyan.demo.view import plain_line, render
from contracts.corpus import Corpus
from contracts.traffic import Mix, ReadyRequest, lacks_its_file, recorded_requests

_FRAME_SECONDS: Final = 0.25
_LINE_SECONDS: Final = 2.0
_GRACE_SECONDS: Final = 1.0
"""How long requests under way may take when a demo ends."""

_BUG: Final = 500
"""What the recorded application answered where it failed; nobody asks for that, so an error here means something."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to do: for so many `seconds` (None: until interrupted), with this routing file and these recordings."""

    seconds: float | None = None
    config: Path | None = None
    corpus: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a demo ended: its report, and why it is no success (empty: it is one)."""

    report: Report
    failed: list[str]


async def run(options: Options, console: Console) -> Outcome | None:
    """The whole demo, in the running task. None: it was interrupted before anybody came.

    Raises what `running_stack` raises, `NoRoutingFileError` and `AdminUnreachableError`.
    """
    interruption = _Interruption()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interruption.happen)
    try:
        return await _demo(options, console, interruption)
    except asyncio.CancelledError:
        if not interruption.event.is_set():
            raise
        return None


class _Interruption:
    """Ctrl-C or SIGTERM: cancels the demo, or where somebody listens for it, is only noted."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.is_listened_for = False
        self._task = asyncio.current_task()

    def happen(self) -> None:
        """The signal handler."""
        first = not self.event.is_set()
        self.event.set()
        if first and not self.is_listened_for and self._task is not None:
            self._task.cancel()


async def _demo(options: Options, console: Console, interruption: _Interruption) -> Outcome:
    corpus = Corpus.open(options.corpus)
    began = time.monotonic()

    def progress(step: str) -> None:
        console.print(f"{time.monotonic() - began:5.1f} s  {step}")

    with tempfile.TemporaryDirectory(prefix="banyan-demo-") as spare:
        config = find(options.config, Path.cwd(), Path(spare)).absolute()
        async with running_stack(corpus, config, progress=progress) as stack:
            requests, mix, left_out = await asyncio.to_thread(_recordings, corpus)
            progress(f"ready: edge {stack.edge_url}, admin {stack.admin_url}")
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
                live = Live(stack.edge_url, _short(config), options.seconds)
                live.events += left_out
                observer = Observer(Admin(session, stack.admin_url), live, config, requests, mix)
                return await _visits(corpus, stack, observer, live, console, interruption)


def _recordings(corpus: Corpus) -> tuple[list[ReadyRequest], Mix, list[str]]:
    """What can be asked, in which proportions; and what cannot, in sentences."""
    sound = [request for request in recorded_requests(corpus) if request.case.response.status != _BUG]
    requests = [one for one in sound if not lacks_its_file(one.case, corpus.stored_by_digest)]
    lacking = len(sound) - len(requests)
    left_out = (
        [f"{lacking} recordings of files that the corpus does not hold are left out"] if lacking else []
    )
    return requests, Mix(requests, list(corpus.journeys())), left_out


def _short(path: Path) -> str:
    """As somebody in this folder would call it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


async def _visits(
    corpus: Corpus,
    stack: Stack,
    observer: Observer,
    live: Live,
    console: Console,
    interruption: _Interruption,
) -> Outcome:
    """Let people visit until the time is over or somebody interrupts; sum up."""

    def count(request: ReadyRequest, verdict: Verdict, seconds: float | None) -> None:
        live.tally.add(observer.group_of(request), request.case, verdict, seconds)

    await observer.look()
    random = Random()
    address = urlsplit(stack.edge_url)
    arriving = visitors(observer.traffic.all.actors, corpus.sessions, random)
    crowd = Crowd(
        lambda: observer.traffic, arriving, (address.hostname or "", address.port or 0), count, random
    )
    crowding = asyncio.create_task(crowd.run())
    interruption.is_listened_for = True
    try:
        await _until_first(
            crowding,
            asyncio.create_task(_pass_time(live)),
            asyncio.create_task(interruption.event.wait()),
            asyncio.create_task(observer.run()),
            asyncio.create_task(stack.watch()),
            asyncio.create_task(_show(live, console)),
        )
        crowd.leave()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_SECONDS):
                await crowding
    finally:
        crowding.cancel()
        await asyncio.gather(crowding, return_exceptions=True)
    stats = await settled(observer.admin, live.tally.requests)
    report = make_report(live.elapsed, live.tally, stats, SIDES, _notes(live, crowd))
    return Outcome(report, shortcomings(report, None if interruption.event.is_set() else live.seconds))


async def _until_first(crowding: asyncio.Task[None], *others: asyncio.Task[object]) -> None:
    """Wait for whatever ends first, and for its error if it has one; then end the `others`."""
    try:
        done, _ = await asyncio.wait([crowding, *others], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def _pass_time(live: Live) -> None:
    """Count the time; return when it is over."""
    began = time.monotonic()
    while live.seconds is None or live.elapsed < live.seconds:
        left = _FRAME_SECONDS if live.seconds is None else min(_FRAME_SECONDS, live.seconds - live.elapsed)
        await asyncio.sleep(left)
        live.elapsed = time.monotonic() - began


def _show(live: Live, console: Console) -> Coroutine[object, object, None]:
    return _on_screen(live, console) if console.is_terminal else _in_lines(live, console)


async def _on_screen(live: Live, console: Console) -> None:
    """Paint the view again and again; leave nothing of it behind."""
    with Screen(console=console, auto_refresh=False, transient=True, redirect_stdout=False) as screen:
        while True:
            screen.update(render(live, console.height), refresh=True)
            await asyncio.sleep(_FRAME_SECONDS)


async def _in_lines(live: Live, console: Console) -> None:
    """Say the hint, then a line every few seconds, and events as they come."""
    if live.hint is not None:
        console.print(f"{live.hint.edit}\n{live.hint.effect}")
    told, line_due = 0, _LINE_SECONDS
    while True:
        for event in live.events[told:]:
            console.print(event)
        told = len(live.events)
        if live.elapsed >= line_due:
            console.print(plain_line(live))
            line_due = live.elapsed + _LINE_SECONDS
        await asyncio.sleep(_FRAME_SECONDS)


def _notes(live: Live, crowd: Crowd) -> list[str]:
    """What a reader of the report should know."""
    return [
        f"the pauses are those of the recorded journeys, sped up {crowd.speed:.1f} times"
        if crowd.speed
        else "no journeys were recorded: all endpoints are asked as often, in even pauses",
        f"{MOVING_SHARE:.0%} of the requests go to moving groups, so that their shares can be seen",
        *live.events,
    ]
