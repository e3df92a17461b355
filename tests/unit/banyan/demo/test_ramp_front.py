# SPDX-License-Identifier: AGPL-3.0-or-later
"""What stands before the services passes everything on, and spoils what it was told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from urllib.parse import urlsplit

import pytest

from banyan.demo.ramp.front import Front
from contracts.client import Connection, ConnectionFailedError


@asynccontextmanager
async def server(seen: list[bytes]) -> AsyncIterator[str]:
    """Answers every request (all that came at once) with its own bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            seen.append(data)
            writer.write(b"HTTP/1.1 200 OK\r\nX-Banyan-Build: b1\r\nContent-Length: %d\r\n\r\n" % len(data))
            writer.write(data)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


def connection(url: str) -> Connection:
    there = urlsplit(url)
    return Connection(there.hostname or "", there.port or 0, timeout=10)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nOdd:  kept \r\n\r\n".encode()


async def test_bytes_go_through_as_they_are() -> None:
    seen: list[bytes] = []
    body = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    front = Front(Random(0))
    async with server(seen) as url, front.before(url) as before:
        client = connection(before)
        for request in (get("/a"), body, get("/b")):
            answer = (await client.ask(request)).answer
            assert (answer.status, answer.body) == (200, request)
            assert ("X-Banyan-Build", "b1") in answer.headers
        client.close()
    assert seen == [get("/a"), body, get("/b")]
    assert front.spoiled == 0


async def test_spoiled_answers_are_500_on_a_connection_that_goes_on() -> None:
    seen: list[bytes] = []
    front = Front(Random(0))
    async with server(seen) as url, front.before(url) as before:
        client = connection(before)
        front.failing = 1.0
        assert (await client.ask(get("/a"))).answer.status == 500
        assert (await client.ask(get("/health"))).answer.status == 200
        front.failing = 0.0
        assert (await client.ask(get("/b"))).answer.status == 200
        client.close()
    assert seen == [get("/health"), get("/b")]
    assert front.spoiled == 1


async def test_only_the_asked_share_is_spoiled() -> None:
    front = Front(Random(7))
    front.failing = 0.4
    async with server([]) as url, front.before(url) as before:
        client = connection(before)
        statuses = [(await client.ask(get("/a"))).answer.status for _ in range(200)]
        client.close()
    assert 50 < statuses.count(500) == front.spoiled < 110


async def test_without_services_the_connection_ends() -> None:
    listening = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    listening.close()
    await listening.wait_closed()
    async with Front(Random(0)).before(f"http://127.0.0.1:{port}") as before:
        with pytest.raises(ConnectionFailedError):
            await connection(before).ask(get("/a"))
