# SPDX-License-Identifier: AGPL-3.0-or-later
"""An observer of the data plane sees every exchange it wants, once, with what the client was answered."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from proxy.dataplane.capture import Capture, Room
from proxy.dataplane.exchange import Exchange
from tests.proxytest.backend import Asked, Script, always, answer
from tests.proxytest.client import connect, fetch, get
from tests.proxytest.edge import two_sides
from tests.proxytest.waiting import until


class Watching:
    """Keeps all of it."""

    def __init__(self, limit: int = 1_000_000) -> None:
        self.limit = limit
        self.began_with: list[bytes] = []
        self.ended_with: list[tuple[str, int, bytes | None]] = []

    def began(self, exchange: Exchange) -> Capture | None:
        self.began_with.append(exchange.head.target)
        return Capture(self.limit, Room(self.limit))

    def ended(self, exchange: Exchange, capture: Capture) -> None:
        status = 0 if capture.head is None else capture.head.status
        body = b"".join(capture.pieces) if capture.complete else None
        self.ended_with.append((exchange.failure, status, body))


_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "method", "seen"),
    [
        (answer(b"hello"), "GET", ("", 200, b"hello")),
        (answer(b"gone", b"404 Not Found"), "GET", ("", 404, b"gone")),
        (_CHUNKED, "GET", ("", 200, b"abcdefg")),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", "GET", ("", 200, b"until the end")),
        (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", "GET", ("", 304, b"")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HEAD", ("", 200, b"")),
        (answer(b"x" * 300_000), "GET", ("", 200, b"x" * 300_000)),
        (b"nonsense\r\n\r\n", "GET", ("backend_malformed", 0, b"")),
    ],
)
async def test_sees_the_answer_without_its_framing(
    tmp_path: Path, data: bytes, method: str, seen: tuple[str, int, bytes]
) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _python):
        watching = edge.edge.observer = Watching()
        legacy.script = always(data)
        if b"close" in data:
            legacy.script = _and_close(data)
        await fetch(edge.port, get("/a?b", method=method))
        assert watching.began_with == [b"/a?b"]
        assert watching.ended_with == [seen]


def _and_close(data: bytes) -> Script:
    async def script(_asked: Asked, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        writer.close()

    return script


async def test_is_told_of_a_client_that_left(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _python):
        watching = edge.edge.observer = Watching()
        legacy.script = always(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        async with connect(edge.port) as client:
            await client.send(get("/"))
            await until(lambda: bool(legacy.asked))
            async with asyncio.timeout(10):
                await client.reader.readuntil(b"half")
            client.vanish()
        await until(lambda: bool(watching.ended_with))
        assert watching.ended_with == [("client_closed", 200, b"half")]


async def test_a_body_beyond_the_bound_reaches_the_client_whole(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _python):
        watching = edge.edge.observer = Watching(limit=1000)
        legacy.script = always(answer(b"y" * 50_000))
        got = await fetch(edge.port, get("/"))
        assert got.body == b"y" * 50_000
        assert watching.ended_with == [("", 200, None)]
