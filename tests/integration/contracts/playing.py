# SPDX-License-Identifier: AGPL-3.0-or-later
"""The recorded legacy beside a test that runs a command."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from contracts.corpus import Corpus
from contracts.playback import Faults, Playback


@contextmanager
def played(faults: Faults | None = None) -> Iterator[str]:
    """The recorded legacy in a thread; its URL."""
    playback = Playback(Corpus.open(), faults=faults) if faults else Playback(Corpus.open())
    loop = asyncio.new_event_loop()
    started, stopped = threading.Event(), asyncio.Event()
    urls: list[str] = []

    async def serve() -> None:
        async with playback.serve("127.0.0.1", 0) as server:
            urls.append(server.url)
            started.set()
            await stopped.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    started.wait()
    try:
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()
        loop.close()
