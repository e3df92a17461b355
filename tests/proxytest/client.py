# SPDX-License-Identifier: AGPL-3.0-or-later
"""Send any bytes, read HTTP exactly."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass
class Message:
    """A request or an answer: first line, header lines as they came, de-framed body."""

    start: bytes
    lines: list[bytes]
    body: bytes = b""
    complete: bool = True

    @property
    def status(self) -> int:
        """The status of an answer."""
        return int(self.start.split(b" ")[1])

    def values(self, name: bytes) -> list[bytes]:
        """All values of a header."""
        pairs = (line.partition(b":") for line in self.lines)
        return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]

    def value(self, name: bytes) -> bytes | None:
        """The value of a header that occurs once at most."""
        values = self.values(name)
        assert len(values) <= 1, f"{name!r} occurs {len(values)} times"
        return values[0] if values else None


async def read_head(reader: asyncio.StreamReader) -> Message | None:
    """A head; None at the end of the stream."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    start, *lines = head[:-4].split(b"\r\n")
    return Message(start, lines)


async def read_message(
    reader: asyncio.StreamReader, *, body: bool = True, method: bytes | None = None
) -> Message | None:
    """A whole message. `method` is that of the request an answer belongs to; None: it is a request."""
    message = await read_head(reader)
    if message is None or not body:
        return message
    is_answer = message.start.startswith(b"HTTP/")
    if is_answer and (method == b"HEAD" or message.status in (204, 304) or message.status < 200):
        return message
    try:
        if message.value(b"transfer-encoding") == b"chunked":
            message.body = await _read_chunks(reader)
        elif (length := message.value(b"content-length")) is not None:
            message.body = await reader.readexactly(int(length))
        elif is_answer:
            message.body = await reader.read()
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        message.body = getattr(error, "partial", b"")
        message.complete = False
    return message


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    pieces: list[bytes] = []
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        piece = await reader.readexactly(size + 2)
        if size == 0:
            return b"".join(pieces)
        pieces.append(piece[:-2])


class RawClient:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int, tls: ssl.SSLContext | None = None) -> RawClient:
        """Connect to 127.0.0.1."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**20, ssl=tls))

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def ask(self, data: bytes) -> Message:
        """Send a request, read its answer."""
        await self.send(data)
        return await self.answer(data.split(b" ", 1)[0])

    async def answer(self, method: bytes = b"GET") -> Message:
        """Read an answer, within a few seconds."""
        async with asyncio.timeout(10):
            message = await read_message(self.reader, method=method)
        assert message is not None, "the connection was closed without an answer"
        return message

    def vanish(self) -> None:
        """Reset the connection, as a client that is killed or unplugged."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def ended(self) -> bool:
        """Whether the other side ended the connection, cleanly or not (and sent nothing more)."""
        async with asyncio.timeout(10):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True


@contextlib.asynccontextmanager
async def connect(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawClient]:
    """A connection to 127.0.0.1."""
    client = await RawClient.open(port, tls)
    try:
        yield client
    finally:
        client.writer.close()


async def fetch(port: int, data: bytes) -> Message:
    """One request on a connection of its own."""
    async with connect(port) as client:
        return await client.ask(data)


def get(target: str, *headers: str, host: str = "loomio.test", method: str = "GET") -> bytes:
    """A GET (or other bodyless request) with Host and further header lines."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *headers]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"
