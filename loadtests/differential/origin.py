# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes down every whole request it is sent, and answers it."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived at the application."""

    method: str
    target: str
    host: str
    framing: str
    body: bytes


@dataclass(slots=True)
class Origin:
    """An application behind one proxy."""

    seen: list[Seen] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Origin:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError
        ):
            while True:
                seen = await _read(reader, writer)
                self.seen.append(seen)
                body = b"" if seen.method == "HEAD" else b"ok"
                writer.write(b"HTTP/1.1 200 OK\r\nX-Origin: 1\r\nContent-Length: 2\r\n\r\n" + body)
                await writer.drain()
        writer.close()


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    start, *lines = head.split("\r\n")[:-2]
    method, target, _ = start.split(" ", 2)
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields.setdefault(name.lower(), []).append(value.strip())
    if fields.get("expect"):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    framing, body = "none", b""
    if "transfer-encoding" in fields:
        framing = f"transfer-encoding {fields['transfer-encoding']}"
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
    elif "content-length" in fields:
        framing = "content-length" if len(fields["content-length"]) == 1 else f"{fields['content-length']}"
        body = await reader.readexactly(int(fields["content-length"][0]))
    if "content-length" in fields and "transfer-encoding" in fields:
        framing = "both"
    return Seen(method, target, ", ".join(fields.get("host", ["none"])), framing, body)
