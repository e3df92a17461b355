# SPDX-License-Identifier: AGPL-3.0-or-later
"""What any demo does around its own: know what can be asked, be interrupted, let people visit, paint."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console, RenderableType
from rich.live import Live as Screen

from banyan.demo.crowd import Crowd
from banyan.demo.report import Report
from contracts.corpus import Corpus
from contracts.traffic import Mix, ReadyRequest, lacks_its_file, recorded_requests

FRAME_SECONDS: Final = 0.25
_GRACE_SECONDS: Final = 1.0
"""How long requests under way may take when a demo ends."""


_BUG: Final = 500
"""What the recorded application answered where it failed; nobody asks for that, so an error here means something."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to do: for so many `seconds` (None: as long as it is interesting), with this routing file and these
    recordings."""

    seconds: float | None = None
    config: Path | None = None
    corpus: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a demo ended: its report, and why it is no success (empty: it is one)."""

    report: Report
    failed: list[str]


def progress_on(console: Console) -> Callable[[str], None]:
    """Prints steps with the seconds since now."""
    began = time.monotonic()
    return lambda step: console.print(f"{time.monotonic() - began:5.1f} s  {step}")


def recordings(corpus: Corpus) -> tuple[list[ReadyRequest], Mix, list[str]]:
    """What can be asked, in which proportions; and what cannot, in sentences."""
    sound = [request for request in recorded_requests(corpus) if request.case.response.status != _BUG]
    requests = [one for one in sound if not lacks_its_file(one.case, corpus.stored_by_digest)]
    lacking = len(sound) - len(requests)
    left_out = (
        [f"{lacking} recordings of files that the corpus does not hold are left out"] if lacking else []
    )
    return requests, Mix(requests, list(corpus.journeys())), left_out


class Interruption:
    """Ctrl-C or SIGTERM: cancels the running task, or where somebody listens for it, is only noted."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.is_listened_for = False
        self._task = asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self.happen)

    def happen(self) -> None:
        """The signal handler."""
        first = not self.event.is_set()
        self.event.set()
        if first and not self.is_listened_for and self._task is not None:
            self._task.cancel()


async def interruptible(demo: Callable[[Interruption], Awaitable[Outcome]]) -> Outcome | None:
    """Run a demo in the running task. None: it was interrupted before it listened for that."""
    interruption = Interruption()
    try:
        return await demo(interruption)
    except asyncio.CancelledError:
        if not interruption.event.is_set():
            raise
        return None


async def visited(
    crowd: Crowd, interruption: Interruption, *others: Coroutine[object, object, object]
) -> None:
    """Let the crowd visit until somebody interrupts or one of the `others` ends (or fails: that is raised). What was
    asked then is answered yet."""
    crowding = asyncio.create_task(crowd.run())
    interruption.is_listened_for = True
    try:
        await _until_first(
            crowding,
            asyncio.create_task(interruption.event.wait()),
            *(asyncio.create_task(other) for other in others),
        )
        crowd.leave()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_SECONDS):
                await crowding
    finally:
        crowding.cancel()
        await asyncio.gather(crowding, return_exceptions=True)


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


async def painted(console: Console, render: Callable[[int], RenderableType]) -> None:
    """Paint what `render` makes for so many lines, again and again; leave nothing of it behind."""
    with Screen(console=console, auto_refresh=False, transient=True, redirect_stdout=False) as screen:
        while True:
            screen.update(render(console.height), refresh=True)
            await asyncio.sleep(FRAME_SECONDS)
