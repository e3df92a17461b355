# SPDX-License-Identifier: AGPL-3.0-or-later
"""An origin in Python: `python -m loadtests.bench.origin LEGACY_PORT PYTHON_PORT`.

    GET  …?size=2k       a body of that size, heads as Rails writes them
    GET  /large          100 MB
    POST /large          takes a body with a length; answers its length and CRC-32 as JSON
    GET  /cable          becomes a WebSocket that sends every message back

It reads only what the benchmark sends: heads below 64 KB, bodies with a length, messages of one known size.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import zlib
from collections.abc import Callable
from typing import Final, cast

import uvloop

from loadtests.bench import tunnel, workload

_LENGTH: Final = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_KEY: Final = re.compile(rb"\r\nsec-websocket-key:\s*(\S+)", re.IGNORECASE)
_SIZE: Final = re.compile(rb"[?&]size=(\w+)")
_COOKIE: Final = "A" * 452


class Connection(asyncio.Protocol):
    """One connection; its state is the function that takes what arrives next."""

    _answers = 0

    def __init__(self, bodies: dict[bytes, bytes]) -> None:
        self._bodies = bodies
        self._buffer = b""
        self._take: Callable[[bytes], None] = self._take_head
        self._writable = asyncio.Event()
        self._writable.set()
        self._sending: asyncio.Task[None] | None = None
        self._missing = self._received = self._crc = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to write."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods only

    def connection_lost(self, exc: Exception | None) -> None:
        """Send nothing more."""
        if self._sending is not None:
            self._sending.cancel()

    def pause_writing(self) -> None:
        """The other end is slower."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Hand it to the state."""
        self._take(data)

    def _take_head(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
            self._answer(head)
            if self._take != self._take_head:
                rest, self._buffer = self._buffer, b""
                self._take(rest)
                return

    def _answer(self, head: bytes) -> None:
        line = head[: head.index(b"\r\n")]
        if line.startswith(b"POST "):
            length = _LENGTH.search(head)
            self._missing = int(length[1]) if length else 0
            self._received = self._crc = 0
            self._take = self._take_body
        elif line.startswith(b"GET /cable") and (key := _KEY.search(head)):
            self._transport.write(tunnel.switching(key[1]))
            self._take = self._take_messages
        elif line.startswith(b"GET /large"):
            self._write_head(workload.LARGE, "application/octet-stream")
            self._sending = asyncio.get_running_loop().create_task(self._send_large())
        else:
            size = _SIZE.search(line)
            body = self._bodies[size[1] if size else b"2k"]
            self._write_head(len(body), "application/json", body)

    def _write_head(self, length: int, content_type: str, body: bytes = b"") -> None:
        Connection._answers += 1
        self._transport.write(
            workload.head_of_answer(length, content_type, Connection._answers, _COOKIE) + body
        )

    async def _send_large(self) -> None:
        for _ in range(workload.LARGE // len(workload.BLOCK)):
            await self._writable.wait()
            self._transport.write(workload.BLOCK)

    def _take_body(self, data: bytes) -> None:
        self._received += len(data)
        self._missing -= len(data)
        self._crc = zlib.crc32(data, self._crc)
        if self._missing <= 0:
            self._take = self._take_head
            body = json.dumps({"bytes": self._received, "crc32": self._crc}).encode()
            self._write_head(len(body), "application/json", body)

    def _take_messages(self, data: bytes) -> None:
        self._buffer += data
        answer, self._buffer = tunnel.echoed(self._buffer)
        if answer:
            self._transport.write(answer)


async def serve(ports: list[int]) -> None:
    """Listen on all of `ports` until the process is ended."""
    bodies = {size.encode(): workload.body(size) for size in workload.SIZES}
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        for port in ports:
            server = await loop.create_server(lambda: Connection(bodies), "127.0.0.1", port, backlog=4096)
            await stack.enter_async_context(server)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve([int(port) for port in sys.argv[1:]]))
