# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sends a case's bytes over one connection and collects what comes back."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final, cast

from loadtests.fuzz.cases import Case
from loadtests.fuzz.judge import Received

_PAUSE: Final = 0.001  # between pieces: long enough for them to arrive apart, mostly
PATIENCE: Final = 20.0
"""After so long a connection counts as hung. The edge has no reason to wait: origin and client answer at once."""


class _Connection(asyncio.Protocol):
    def __init__(self, pieces: tuple[bytes, ...], loop: asyncio.AbstractEventLoop) -> None:
        self._pieces = pieces
        self._loop = loop
        self._next = 0
        self._received: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[Received] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(self._pieces[self._next])
        self._next += 1
        if self._next < len(self._pieces):
            self._loop.call_later(_PAUSE, self._send)
        else:
            with contextlib.suppress(OSError):  # the edge reset the connection, and asyncio has yet to see it
                transport.write_eof()

    def data_received(self, data: bytes) -> None:
        self._received.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(self.received("closed" if exc is None else "reset"))

    def received(self, end: str) -> Received:
        return Received(b"".join(self._received), end)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def run_case(port: int, case: Case, patience: float = PATIENCE) -> Received:
    """Send a case to 127.0.0.1:`port`: all of it, then the end of sending; what came until the other side ended too."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: _Connection(case.pieces, loop), "127.0.0.1", port)
    try:
        async with asyncio.timeout(patience):
            return await asyncio.shield(connection.done)
    except TimeoutError:
        hung = connection.received("hang")
        connection.abort()
        return hung
