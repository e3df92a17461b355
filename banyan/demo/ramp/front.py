# SPDX-License-Identifier: AGPL-3.0-or-later
"""What stands between the edge and the services, and spoils answers when it is told to.

The services know nothing of it, and neither does the edge: to the edge, it is the new side that begins to fail. Health
checks go through untouched, for the worst faults are those that no health check sees.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Final
from urllib.parse import urlsplit

from contracts.playback.answers import in_form_of, simple
from contracts.playback.http1 import Asked, BadRequestError, RequestReader

SPARED: Final = "/health"
_CHUNK: Final = 65536
_BROKEN: Final = simple(500, {"status": 500, "error": "Internal Server Error"})


class Front:
    """Answers the share `failing` (0 to 1) of requests with 500 by itself; `spoiled` counts them.

    It keeps to one request at a time on a connection, as the edge does.
    """

    def __init__(self, random: Random) -> None:
        self.failing = 0.0
        self.spoiled = 0
        self._random = random
        self._upstream: tuple[str, int] = ("", 0)
        self._serving: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def before(self, url: str) -> AsyncIterator[str]:
        """Stand before the server at `url` while the context lasts; answers where to ask instead."""
        there = urlsplit(url)
        self._upstream = (there.hostname or "", there.port or 80)
        server = await asyncio.start_server(self._taken, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the edge's, with one of its own to the services."""
        try:
            answers, onward = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.close()
            return
        both = [
            asyncio.ensure_future(self._forward(reader, onward, writer)),
            asyncio.ensure_future(_copy(answers, writer)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            onward.close()
            writer.close()

    async def _forward(
        self, reader: asyncio.StreamReader, onward: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        """Pass whole requests on as they came, but for those to be spoiled."""
        requests = RequestReader()
        raw = bytearray()
        with contextlib.suppress(OSError, BadRequestError):
            while data := await reader.read(_CHUNK):
                raw += data
                requests.feed(data)
                asked = requests.next()
                if asked is None:
                    continue
                if self._spoils(asked):
                    back.write(in_form_of(asked, _BROKEN))
                    await back.drain()
                else:
                    onward.write(bytes(raw))
                    await onward.drain()
                raw.clear()

    def _spoils(self, asked: Asked) -> bool:
        spoils = asked.target != SPARED and self._random.random() < self.failing
        self.spoiled += spoils
        return spoils


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
