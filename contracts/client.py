# SPDX-License-Identifier: AGPL-3.0-or-later
"""One connection to a server: HTTP/1.1, kept alive, one request at a time.

Small and strict, since the answers are what is judged: nothing is decompressed, followed or repeated.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from time import perf_counter
from typing import Final, cast

import msgspec

from contracts.compare import Answer

_HEAD_END: Final = b"\r\n\r\n"
_NO_BODY: Final = frozenset((204, 304))


class ConnectionFailedError(Exception):
    """No whole answer came. `code` is one of `refused`, `reset`, `timeout`, `malformed`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Timed(msgspec.Struct, frozen=True):
    """An answer, and the seconds from the request's first byte to the answer's last."""

    answer: Answer
    seconds: float


class Connection:
    """Requests to one server, one after the other; connects when it has to."""

    def __init__(
        self, host: str, port: int, *, timeout: float = 30.0, tls: ssl.SSLContext | None = None
    ) -> None:
        self._address = (host, port)
        self._tls = tls
        self._timeout = timeout
        self._exchange: _Exchange | None = None

    async def ask(self, request: bytes) -> Timed:
        """Send `request` (a whole one, not HEAD) and await the answer.

        Raises `ConnectionFailedError`.
        """
        try:
            async with asyncio.timeout(self._timeout):
                exchange = await self._connected()
                started = perf_counter()
                answer = await exchange.ask(request)
        except TimeoutError:
            self.close()
            raise ConnectionFailedError("timeout", f"no whole answer within {self._timeout:g} s") from None
        except BaseException:
            self.close()
            raise
        if exchange.closes:
            self.close()
        return Timed(answer, exchange.finished_at - started)

    def close(self) -> None:
        """End the connection; the next request makes a new one."""
        if self._exchange is not None:
            self._exchange.abort()
            self._exchange = None

    async def _connected(self) -> _Exchange:
        if self._exchange is None or self._exchange.gone:
            loop = asyncio.get_running_loop()
            try:
                _, self._exchange = await loop.create_connection(_Exchange, *self._address, ssl=self._tls)
            except OSError as error:
                raise ConnectionFailedError("refused", f"no connection: {error}") from error
        return self._exchange


class _Exchange(asyncio.Protocol):
    """The bytes of one connection. `_read` is the step that the next bytes are for; it says whether to go on."""

    def __init__(self) -> None:
        self.gone = False
        self.closes = False
        self.finished_at = 0.0
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiting: asyncio.Future[Answer] | None = None
        self._read: Callable[[], bool] = self._read_head
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._body = bytearray()
        self._left = 0

    async def ask(self, request: bytes) -> Answer:
        """Write and await the answer."""
        if self._transport is None or self.gone:
            raise ConnectionFailedError("reset", "the connection was closed before the request")
        self._waiting = asyncio.get_running_loop().create_future()
        self._read = self._read_head
        self._transport.write(request)
        return await self._waiting

    def abort(self) -> None:
        """End it at once."""
        self.gone = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A TCP transport both reads and writes; uvloop's merely does not say so by its type.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            while self._read():
                pass
        except ValueError as error:
            self._fail("malformed", f"not an HTTP answer: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        if self._read == self._read_until_close and exc is None:
            self._finish()
        self._fail("reset", f"the connection was lost before the answer was whole ({exc or 'closed'})")

    def _fail(self, code: str, message: str) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionFailedError(code, message))

    def _finish(self) -> bool:
        self.finished_at = perf_counter()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Answer(self._status, tuple(self._headers), bytes(self._body)))
        self._read = self._read_nothing
        return bool(self._buffer)

    def _read_nothing(self) -> bool:
        if self._buffer:
            self.abort()  # bytes that nobody asked for: whatever they are, they must not become an answer
        return False

    def _read_head(self) -> bool:
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            return False
        if self._waiting is None or self._waiting.done():
            return self._read_nothing()
        status_line, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[: end + len(_HEAD_END)]
        version, status, *_ = status_line.split(" ", 2)
        if not version.startswith("HTTP/1."):
            raise ValueError(status_line)
        self._status = int(status)
        if self._status < 200:
            return True  # an interim answer; the real one follows
        self._headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        self._body.clear()
        framing = {name.lower(): value.lower() for name, value in self._headers}
        self.closes = framing.get("connection") == "close" or version == "HTTP/1.0"
        if self._status in _NO_BODY:
            return self._finish()
        if framing.get("transfer-encoding") == "chunked":
            self._read = self._read_chunk_size
        elif "content-length" in framing:
            self._left = int(framing["content-length"])
            self._read = self._read_counted
        else:
            self.closes = True
            self._read = self._read_until_close
        return True

    def _read_counted(self) -> bool:
        self._take()
        return self._finish() if not self._left else False

    def _read_until_close(self) -> bool:
        self._body += self._buffer
        self._buffer.clear()
        return False

    def _read_chunk_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        self._left = int(line.partition(b";")[0], 16)
        self._read = self._read_chunk if self._left else self._read_trailers
        return True

    def _read_chunk(self) -> bool:
        self._take()
        if self._left or len(self._buffer) < 2:
            return False
        if self._line() != b"":
            raise ValueError("a chunk is longer than it said")
        self._read = self._read_chunk_size
        return True

    def _read_trailers(self) -> bool:
        line = self._line()
        if line is None:
            return False
        return True if line else self._finish()

    def _take(self) -> None:
        """Move what is there, and still belongs to this part, to the body."""
        part = self._buffer[: self._left]
        del self._buffer[: len(part)]
        self._body += part
        self._left -= len(part)

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line
