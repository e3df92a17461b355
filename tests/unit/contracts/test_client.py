# SPDX-License-Identifier: AGPL-3.0-or-later
"""The visitors' connection, against a server that says exactly what the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from contracts.client import Connection, ConnectionFailedError
from tests.proxytest.backend import Asked, Script, ScriptedBackend, backends

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def talking(
    script: Script, patience: float = 10.0
) -> AsyncIterator[tuple[Connection, ScriptedBackend]]:
    async with backends("one") as (backend,):
        backend.script = script
        connection = Connection("127.0.0.1", backend.port, timeout=patience)
        try:
            yield connection, backend
        finally:
            connection.close()


def saying(*parts: bytes, close: bool = False) -> Script:
    """Answers with these parts, one write each."""

    async def script(_asked: Asked, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        if close:
            writer.close()

    return script


def bytewise(data: bytes) -> tuple[bytes, ...]:
    return tuple(bytes([byte]) for byte in data)


COUNTED = b"HTTP/1.1 200 OK\r\nX-Two: a\r\nContent-Length: 5\r\nX-Two:  b \r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n"
)


@pytest.mark.parametrize("split", [lambda data: (data,), bytewise])
@pytest.mark.parametrize("data", [COUNTED, CHUNKED, b"HTTP/1.1 100 Continue\r\n\r\n" + COUNTED])
async def test_reads_an_answer_however_its_bytes_arrive(
    data: bytes, split: Callable[[bytes], tuple[bytes, ...]]
) -> None:
    async with talking(saying(*split(data))) as (connection, backend):
        for _ in range(3):
            timed = await connection.ask(GET)
            assert (timed.answer.status, timed.answer.body) == (200, b"hello")
            assert timed.seconds > 0
        assert backend.connections == 1


async def test_keeps_all_headers_in_order() -> None:
    async with talking(saying(COUNTED)) as (connection, _):
        answer = (await connection.ask(GET)).answer
    assert answer.headers == (("X-Two", "a"), ("Content-Length", "5"), ("X-Two", "b"))


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_some_answers_have_no_body_whatever_they_say(status: bytes) -> None:
    data = b"HTTP/1.1 %b\r\nContent-Length: 99\r\n\r\n" % status
    async with talking(saying(data)) as (connection, backend):
        assert (await connection.ask(GET)).answer.body == b""
        assert (await connection.ask(GET)).answer.body == b""
        assert backend.connections == 1


async def test_reads_to_the_end_where_no_length_is_told() -> None:
    async with talking(saying(b"HTTP/1.1 200 OK\r\n\r\nall", b" of it", close=True)) as (connection, backend):
        assert (await connection.ask(GET)).answer.body == b"all of it"
        assert (await connection.ask(GET)).answer.body == b"all of it"
        assert backend.connections == 2


async def test_connects_anew_after_an_answer_that_closes() -> None:
    data = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    async with talking(saying(data)) as (connection, backend):
        await connection.ask(GET)
        await connection.ask(GET)
        assert backend.connections == 2


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", close=True), "reset"),
        (saying(b"SSH-2.0-x\r\n\r\n"), "malformed"),
        (saying(b"HTTP/1.1 many OK\r\n\r\n"), "malformed"),
        (saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "malformed"),
        (saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc"), "malformed"),
    ],
)
async def test_tells_what_is_wrong_with_half_and_broken_answers(script: Script, code: str) -> None:
    async with talking(script) as (connection, _):
        with pytest.raises(ConnectionFailedError) as caught:
            await connection.ask(GET)
    assert caught.value.code == code


async def test_does_not_wait_for_ever() -> None:
    async with talking(saying(), patience=0.05) as (connection, _):
        with pytest.raises(ConnectionFailedError) as caught:
            await connection.ask(GET)
    assert caught.value.code == "timeout"


async def test_nobody_there() -> None:
    async with talking(saying()) as (connection, backend):
        await backend.stop()
        with pytest.raises(ConnectionFailedError) as caught:
            await connection.ask(GET)
    assert caught.value.code == "refused"


async def test_an_answer_that_nobody_asked_for_is_never_taken_for_the_next_one() -> None:
    async with talking(saying(COUNTED + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")) as (
        connection,
        backend,
    ):
        assert (await connection.ask(GET)).answer.body == b"hello"
        assert (await connection.ask(GET)).answer.body == b"hello"
        assert backend.connections == 2
