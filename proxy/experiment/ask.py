# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ask a backend what it would have answered. One request at a time on a connection; idle ones are kept.

The request is the user's own head, line for line, without what would make the answer another (conditions, ranges,
encodings that are not understood here), and with the mark. Bodies are read up to a bound, and never for longer than
told. A failure is an observation, not an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Final

from proxy.experiment.inflate import ACCEPTED
from proxy.experiment.observation import Failure
from proxy.experiment.safety import MARK
from proxy.routing.table import Address

_LEFT_OUT: Final = frozenset(
    {
        b"if-none-match",
        b"if-modified-since",
        b"if-match",
        b"if-unmodified-since",
        b"if-range",
        b"range",
        b"accept-encoding",
        b"connection",
        b"expect",
    }
)
_HEAD_BYTES: Final = 256 * 1024
_MOST_IDLE: Final = 64
_IDLE_SECONDS: Final = 5.0  # below what application servers keep open


def repeated(head: bytes, mark: bytes) -> bytes:
    """The head of the request that repeats the one with this head."""
    first, *lines = head[:-4].split(b"\r\n")
    kept = [first]
    accepts = b""
    for line in lines:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name == b"accept-encoding":
            accepts += b"," + value.lower()
        elif name not in _LEFT_OUT:
            kept.append(line)
    if _accepts_gzip(accepts):
        kept.append(b"Accept-Encoding: " + ACCEPTED.encode())
    kept.append(MARK.encode() + b": " + mark)
    return b"\r\n".join(kept) + b"\r\n\r\n"


def _accepts_gzip(value: bytes) -> bool:
    for part in value.split(b","):
        name, _, weight = part.strip().partition(b";")
        if name.strip() in (b"gzip", b"*"):
            return weight.replace(b" ", b"") not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    return False


class Answer:
    """What came: with a `failure`, what came until then. `headers` are raw pairs in order."""

    __slots__ = ("body", "failure", "headers", "seconds", "status")

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.seconds = 0.0
        self.failure: Failure | None = None


class _MalformedError(Exception):
    """Not HTTP."""


class _TooLargeError(Exception):
    """More than is read."""


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.idle_since = 0.0

    def abort(self) -> None:
        self.writer.transport.abort()


class Asker:
    """Connections to one backend."""

    def __init__(self, addresses: tuple[Address, ...]) -> None:
        self.addresses = addresses
        self._next = 0
        self._idle: list[_Connection] = []

    async def ask(self, head: bytes, *, limit: int, patience: float) -> Answer:
        """Send a request (GET or HEAD, no body) and read its answer, up to `limit` bytes and `patience` seconds."""
        answer = Answer()
        began = time.monotonic()
        try:
            async with asyncio.timeout(patience):
                await self._ask(head, answer, limit)
        except TimeoutError:
            answer.failure = Failure.TIMEOUT
        except _MalformedError:
            answer.failure = Failure.MALFORMED
        except _TooLargeError:
            answer.failure = Failure.TOO_LARGE
        except _UnreachableError:
            answer.failure = Failure.UNREACHABLE
        except (OSError, asyncio.IncompleteReadError):
            answer.failure = Failure.RESET
        answer.seconds = time.monotonic() - began
        return answer

    def close(self) -> None:
        """Close all idle connections."""
        for connection in self._idle:
            connection.abort()
        self._idle = []

    async def _ask(self, head: bytes, answer: Answer, limit: int) -> None:
        connection = self._take()
        if connection is not None:
            try:
                await self._on(connection, head, answer, limit)
                return
            except (OSError, asyncio.IncompleteReadError):
                if answer.status:
                    raise
                # It was closed while it was idle; a safe request may be sent again.
        await self._on(await self._open(), head, answer, limit)

    def _take(self) -> _Connection | None:
        oldest = time.monotonic() - _IDLE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since > oldest and not connection.reader.at_eof():
                return connection
            connection.abort()
        return None

    async def _open(self) -> _Connection:
        address = self.addresses[self._next % len(self.addresses)]
        self._next += 1
        try:
            return _Connection(*await asyncio.open_connection(address.host, address.port, limit=_HEAD_BYTES))
        except OSError as error:
            raise _UnreachableError(str(error)) from None

    async def _on(self, connection: _Connection, head: bytes, answer: Answer, limit: int) -> None:
        reusable = False
        try:
            connection.writer.write(head)
            reusable = await _read(connection.reader, head.startswith(b"HEAD "), answer, limit)
        finally:
            if reusable and len(self._idle) < _MOST_IDLE:
                connection.idle_since = time.monotonic()
                self._idle.append(connection)
            else:
                connection.abort()


class _UnreachableError(Exception):
    """No connection."""


async def _read(reader: asyncio.StreamReader, head_only: bool, answer: Answer, limit: int) -> bool:
    """Read an answer. True: the connection may be used again."""
    status = 100
    while 100 <= status < 200:
        minor, status, headers = await _head(reader)
        if status == 101:
            raise _MalformedError
    answer.status, answer.headers = status, headers
    fields = {name.lower(): value.lower() for name, value in headers}
    lasting = b"close" not in fields.get(b"connection", b"") and (
        minor == b"1" or b"keep-alive" in fields.get(b"connection", b"")
    )
    if head_only or status in (204, 304):
        return lasting
    if b"transfer-encoding" in fields:
        answer.body = await _chunks(reader, limit)
        return lasting
    length = fields.get(b"content-length")
    if length is not None:
        if not length.isdigit():
            raise _MalformedError
        if int(length) > limit:
            raise _TooLargeError
        answer.body = await reader.readexactly(int(length))
        return lasting
    pieces: list[bytes] = []
    size = 0
    while piece := await reader.read(65_536):
        size += len(piece)
        if size > limit:
            raise _TooLargeError
        pieces.append(piece)
    answer.body = b"".join(pieces)
    return False


async def _head(reader: asyncio.StreamReader) -> tuple[bytes, int, list[tuple[bytes, bytes]]]:
    try:
        data = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise _MalformedError from None
    first, *lines = data[:-4].split(b"\r\n")
    if not first.startswith(b"HTTP/1.") or not first[9:12].isdigit():
        raise _MalformedError
    headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise _MalformedError
        headers.append((name, value.strip(b" \t")))
    return first[7:8], int(first[9:12]), headers


async def _chunks(reader: asyncio.StreamReader, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        with contextlib.suppress(asyncio.LimitOverrunError):
            line = await reader.readuntil(b"\r\n")
            try:
                length = int(line.partition(b";")[0], 16)
            except ValueError:
                raise _MalformedError from None
            size += length
            if size > limit:
                raise _TooLargeError
            if length == 0:
                while await reader.readuntil(b"\r\n") != b"\r\n":
                    pass  # trailers say nothing of the body
                return b"".join(pieces)
            pieces.append(await reader.readexactly(length))
            if await reader.readexactly(2) != b"\r\n":
                raise _MalformedError
            continue
        raise _MalformedError
