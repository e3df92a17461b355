# SPDX-License-Identifier: AGPL-3.0-or-later
"""A demo from start to end: the thin shell around the rest of the package."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from rich.console import Console

from banyan.demo.admin import Admin
from banyan.demo.crowd import MOVING_SHARE, Crowd, visitors
from banyan.demo.judge import Verdict
from banyan.demo.live import SIDES, Live
from banyan.demo.observer import Observer, settled
from banyan.demo.report import make_report, shortcomings
from banyan.demo.routing_file import find
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
from banyan.demo.stack import Stack, running_stack
from banyan.demo.view import plain_line, render
from contracts.corpus import Corpus
from contracts.traffic import ReadyRequest

_LINE_SECONDS: Final = 2.0


async def run(options: Options, console: Console) -> Outcome | None:
    """The whole demo, in the running task. None: it was interrupted before anybody came.

    Raises what `running_stack` raises, `NoRoutingFileError` and `AdminUnreachableError`.
    """
    return await interruptible(lambda interruption: _demo(options, console, interruption))


async def _demo(options: Options, console: Console, interruption: Interruption) -> Outcome:
    corpus = Corpus.open(options.corpus)
    progress = progress_on(console)
    with tempfile.TemporaryDirectory(prefix="banyan-demo-") as spare:
        config = find(options.config, Path.cwd(), Path(spare)).absolute()
        async with running_stack(corpus, config, progress=progress) as stack:
            requests, mix, left_out = await asyncio.to_thread(recordings, corpus)
            progress(f"ready: edge {stack.edge_url}, admin {stack.admin_url}")
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
                live = Live(stack.edge_url, _short(config), options.seconds)
                live.events += left_out
                observer = Observer(Admin(session, stack.admin_url), live, config, requests, mix)
                return await _visits(corpus, stack, observer, live, console, interruption)


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
    interruption: Interruption,
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
    await visited(crowd, interruption, _pass_time(live), observer.run(), stack.watch(), _show(live, console))
    stats = await settled(observer.admin, live.tally.requests)
    report = make_report(live.elapsed, live.tally, stats, SIDES, _notes(live, crowd))
    return Outcome(report, shortcomings(report, None if interruption.event.is_set() else live.seconds))


async def _pass_time(live: Live) -> None:
    """Count the time; return when it is over."""
    began = time.monotonic()
    while live.seconds is None or live.elapsed < live.seconds:
        left = FRAME_SECONDS if live.seconds is None else min(FRAME_SECONDS, live.seconds - live.elapsed)
        await asyncio.sleep(left)
        live.elapsed = time.monotonic() - began


def _show(live: Live, console: Console) -> Coroutine[object, object, None]:
    if console.is_terminal:
        return painted(console, partial(render, live))
    return _in_lines(live, console)


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
        await asyncio.sleep(FRAME_SECONDS)


def _notes(live: Live, crowd: Crowd) -> list[str]:
    """What a reader of the report should know."""
    return [
        f"the pauses are those of the recorded journeys, sped up {crowd.speed:.1f} times"
        if crowd.speed
        else "no journeys were recorded: all endpoints are asked as often, in even pauses",
        f"{MOVING_SHARE:.0%} of the requests go to moving groups, so that their shares can be seen",
        *live.events,
    ]
