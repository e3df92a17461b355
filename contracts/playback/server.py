# SPDX-License-Identifier: AGPL-3.0-or-later
"""The playback's server: raw connections, so that status lines, headers and framing come out byte for byte.

It behaves as Puma does towards a proxy: connections are kept, pipelined requests are answered in order, and a
connection that was idle for `idle_seconds` is closed without a word.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from contracts.playback.answers import in_form_of, simple
from contracts.playback.faults import Conduct, Fault
from contracts.playback.http1 import Asked, BadRequestError, RequestReader
from contracts.playback.library import Library

_SWEEP_SECONDS = 0.5
_GARBAGE = b"\x00\x16\xff\xfe this is not HTTP\r\n\r\n"
_LINGER_RESET = struct.pack("ii", 1, 0)
"""A socket with this linger option is reset, not ended, when it is closed."""


class Server:
    """One listening playback. `seen` holds the latest requests, `requests_seen` counts all of them."""

    def __init__(self, library: Library, conduct: Conduct, idle_seconds: float, remember: int) -> None:
        self.library = library
        self.conduct = conduct
        self.idle_seconds = idle_seconds
        self.seen: deque[Asked] = deque(maxlen=remember)
        self.requests_seen = 0
        self.not_recorded = 0
        self.connections: set[_Connection] = set()
        self.connections_made = 0
        self.host = ""
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def answer(self, asked: Asked) -> bytes:
        """The answer to a request, recorded or the refusal."""
        self.requests_seen += 1
        self.seen.append(asked)
        recorded = self.library.answer(asked)
        if recorded is None:
            self.not_recorded += 1
            return self.library.refusal(asked)
        return recorded

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[Server]:
        """Listens while the context lasts (port 0: a free one); ends all connections afterwards."""
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(lambda: _Connection(self, loop), host, port)
        self.host, self.port = listener.sockets[0].getsockname()[:2]
        sweeper = loop.create_task(self._sweep())
        try:
            yield self
        finally:
            sweeper.cancel()
            listener.close()
            for connection in tuple(self.connections):
                connection.abort()
            await asyncio.gather(sweeper, return_exceptions=True)
            await listener.wait_closed()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(_SWEEP_SECONDS, self.idle_seconds / 4))
            limit = loop.time() - self.idle_seconds
            for connection in tuple(self.connections):
                connection.close_if_idle_since(limit)


class _Connection(asyncio.Protocol):
    """One client's connection. At most one request is in work; what follows waits in the reader."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._reader = RequestReader()
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.TimerHandle | None = None
        self._in_work = False
        self._blocked = False
        self._half_closed = False
        self._active_at = loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A TCP transport both reads and writes; uvloop's merely does not say so by its type.
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)
        self._server.connections_made += 1
        if self._server.conduct.refuses_connection():
            self._reset()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._transport = None
        if self._waiting:
            self._waiting.cancel()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        self._advance()

    def eof_received(self) -> bool:
        # A client that only stopped sending still gets its answer.
        self._half_closed = True
        return self._in_work or self._blocked

    def pause_writing(self) -> None:
        self._blocked = True
        if self._transport:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._blocked = False
        if self._transport:
            self._transport.resume_reading()
            self._advance()

    def close_if_idle_since(self, limit: float) -> None:
        """Ends the connection if nothing is in work and nothing happened since `limit` (loop time)."""
        if self._transport and not self._in_work and self._active_at < limit:
            self._transport.close()

    def abort(self) -> None:
        """Ends the connection at once."""
        if self._transport:
            self._transport.abort()

    def _advance(self) -> None:
        self._active_at = self._loop.time()
        while self._transport and not (self._transport.is_closing() or self._in_work or self._blocked):
            try:
                asked = self._reader.next()
            except BadRequestError as error:
                self._transport.write(_refused(error))
                self._transport.close()
                return
            if asked is None:
                if self._reader.wants_continue():
                    self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                if self._half_closed:
                    self._transport.close()
                return
            self._begin(asked)

    def _begin(self, asked: Asked) -> None:
        answer = self._server.answer(asked)
        delay, fault = self._server.conduct.outcome(asked)
        self._in_work = True
        if delay > 0:
            self._waiting = self._loop.call_later(delay, self._finish_late, asked, answer, fault)
        else:
            self._finish(asked, answer, fault)

    def _finish_late(self, asked: Asked, answer: bytes, fault: Fault | None) -> None:
        self._waiting = None
        self._finish(asked, answer, fault)
        self._advance()

    def _finish(self, asked: Asked, answer: bytes, fault: Fault | None) -> None:
        transport = self._transport
        if transport is None:
            return
        if fault is not None:
            answer = self._spoil(transport, asked, answer, fault)
            if not answer:
                return
        transport.write(answer)
        self._in_work = False
        if asked.closes or (self._half_closed and not self._reader.in_request):
            transport.close()

    def _spoil(self, transport: asyncio.Transport, asked: Asked, answer: bytes, fault: Fault) -> bytes:
        """Does what the fault asks for; returns what is left to be answered in good form, if anything."""
        if fault is Fault.ERROR:
            return in_form_of(asked, simple(500, {"status": 500, "error": "Internal Server Error"}))
        if fault in (Fault.STALL, Fault.RESET, Fault.CUT):
            transport.write(_half(answer))
        if fault is Fault.GARBAGE:
            transport.write(_GARBAGE)
        if fault in (Fault.CUT, Fault.GARBAGE):
            transport.close()
        elif fault is Fault.DROP:
            self._reset()
        elif fault is Fault.RESET:
            # Let the half arrive before the reset overtakes it.
            self._waiting = self._loop.call_later(0.05, self._reset)
        return b""

    def _reset(self) -> None:
        if self._transport is None:
            return
        peer: socket.socket = self._transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        self._transport.abort()


def _half(answer: bytes) -> bytes:
    """The head and half of the body; half of the head where there is no body."""
    head = answer.index(b"\r\n\r\n") + 4
    return answer[: head + (len(answer) - head) // 2] if len(answer) > head else answer[: head // 2]


def _refused(error: BadRequestError) -> bytes:
    return simple(error.status, {"error": str(error)}).replace(
        b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1
    )
