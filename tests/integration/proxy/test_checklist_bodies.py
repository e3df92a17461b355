# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bodies go through as they are, both ways, and an answer's framing is checked as strictly as a request's."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.proxytest.backend import Asked, Script, always, answer
from tests.proxytest.client import Message, RawClient, connect, fetch, get
from tests.proxytest.edge import two_sides
from tests.proxytest.waiting import until

BOTH_LOOPS = True
PACKED = gzip.compress(b"packed " * 1000, mtime=0)


def chunked(*pieces: bytes, trailers: bytes = b"") -> bytes:
    """A chunked body."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailers + b"\r\n"


def names(message: Message) -> set[bytes]:
    """The header names, in lower case."""
    return {line.partition(b":")[0].lower() for line in message.lines}


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_packed_bodies_are_not_opened_in_either_direction(tmp_path: Path, framing: str) -> None:
    how = b"Content-Length: %d" % len(PACKED) if framing == "length" else b"Transfer-Encoding: chunked"
    body = PACKED if framing == "length" else chunked(PACKED[:100], PACKED[100:])
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.script = always(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" + how + b"\r\n\r\n" + body)
        ask = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n" + how + b"\r\n\r\n" + body
        got = await fetch(edge.port, ask)
        sent = legacy.asked[0].message
        assert got.body == sent.body == PACKED
        assert got.value(b"content-encoding") == sent.value(b"content-encoding") == b"gzip"


async def test_conditions_and_ranges_are_the_applications_business(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):

        async def script(asked: Asked, _reader: Reader, writer: Writer) -> None:
            if asked.header(b"if-none-match"):
                writer.write(b'HTTP/1.1 304 Not Modified\r\nETag: W/"1"\r\nContent-Length: 7000\r\n\r\n')
            else:
                headers = b'ETag: W/"1"\r\nContent-Range: bytes 0-3/7000\r\nAccept-Ranges: bytes\r\n'
                writer.write(answer(b"part", b"206 Partial Content", headers))

        legacy.script = script
        async with connect(edge.port) as client:
            part = await client.ask(get("/", "Range: bytes=0-3", 'If-Range: W/"1"'))
            assert (part.status, part.body, part.value(b"content-range")) == (206, b"part", b"bytes 0-3/7000")
            unchanged = await client.ask(get("/", 'If-None-Match: W/"1"'))
            assert (unchanged.status, unchanged.body) == (304, b"")
            assert unchanged.lines == [b'ETag: W/"1"', b"Content-Length: 7000"]
            assert (await client.ask(get("/"))).status == 206
        assert legacy.connections == 1
        assert legacy.asked[0].header(b"range") == [b"bytes=0-3"]


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 5000", b"Transfer-Encoding: chunked", b"X: until the end"]
)
async def test_head_is_answered_without_a_body_and_the_connections_go_on(
    tmp_path: Path, framing: bytes
) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):

        async def script(asked: Asked, _reader: Reader, writer: Writer) -> None:
            head = asked.message.start.startswith(b"HEAD")
            writer.write(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" if head else answer(b"body"))

        legacy.script = script
        async with connect(edge.port) as client:
            for _ in range(2):
                assert (await client.ask(get("/", method="HEAD"))).status == 200
                assert (await client.ask(get("/"))).body == b"body"
        assert legacy.connections == 1


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 204 No Content\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n",
        b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n",
    ],
)
async def test_answers_that_have_no_body_end_with_their_head(tmp_path: Path, start: bytes) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.script = always(start + b"\r\n")
        async with connect(edge.port) as client:
            for _ in range(3):
                got = await client.ask(get("/"))
                assert (got.status in (204, 304), got.body) == (True, b"")
                assert b"transfer-encoding" not in names(got)
        assert legacy.connections == 1


async def test_what_follows_an_answer_belongs_to_nobody(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.script = always(answer(b"mine") + answer(b"of another"))
        async with connect(edge.port) as client:
            for _ in range(3):
                assert (await client.ask(get("/"))).body == b"mine"
        assert legacy.connections == 3
        legacy.script = always(b"HTTP/1.1 204 No Content\r\n\r\nunasked")
        async with connect(edge.port) as client:
            for _ in range(2):
                assert (await client.ask(get("/"))).status == 204


async def test_several_interim_answers_come_in_their_order_and_not_to_http_1_0(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        interim = (
            b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n"
        )
        legacy.script = always(interim + answer(b"at last"))
        async with connect(edge.port) as client:
            assert (await client.ask(get("/"))).status == 102
            hints = await client.answer()
            assert (hints.status, hints.lines) == (103, [b"Link: </a>", b"Link: </b>"])
            assert (await client.answer()).body == b"at last"
        assert (await fetch(edge.port, b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")).body == b"at last"


async def test_the_backend_may_decline_an_expectation(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.read_bodies = False
        legacy.script = always(answer(b"no", b"417 Expectation Failed"))
        async with connect(edge.port) as client:
            ask = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
            got = await client.ask(ask)
            assert (got.status, got.body, got.value(b"connection")) == (417, b"no", b"close")
            client.writer.write_eof()
            assert await client.ended()
        assert legacy.asked[0].header(b"expect") == [b"100-continue"]


async def test_trailers_are_dropped_both_ways(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        end = b"Content-Length: 7\r\nX-Sum: 1\r\nSet-Cookie: a=1\r\n"
        legacy.script = always(
            b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
            + chunked(b"abc", trailers=end)
        )
        async with connect(edge.port) as client:
            body = chunked(b"uvw", trailers=end)
            ask = b"POST / HTTP/1.1\r\nHost: a\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n" + body
            await client.send(ask)
            head = await client.reader.readuntil(b"\r\n\r\n")
            assert b"railer" not in head
            assert await client.reader.readexactly(13) == b"3\r\nabc\r\n0\r\n\r\n"
            assert (await client.ask(get("/"))).body == b"abc"
        assert legacy.asked[0].message.body == b"uvw"
        assert names(legacy.asked[0].message).isdisjoint({b"trailer", b"x-sum", b"content-length"})


async def test_both_directions_stream_at_the_same_time(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.read_bodies = False

        async def echo(_asked: Asked, reader: Reader, writer: Writer) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while size := int(await reader.readuntil(b"\r\n"), 16):
                piece = (await reader.readexactly(size + 2))[:-2]
                writer.write(b"%x\r\n%b\r\n" % (size, piece))
            await reader.readexactly(2)
            writer.write(b"0\r\n\r\n")

        legacy.script = echo
        async with connect(edge.port) as client, asyncio.timeout(10):
            await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number in range(20):
                await client.send(b"3\r\n%03d\r\n" % number)
                if number == 0:
                    await client.reader.readuntil(b"\r\n\r\n")
                assert await client.reader.readexactly(8) == b"3\r\n%03d\r\n" % number
            await client.send(b"0\r\n\r\n")
            assert await client.reader.readexactly(5) == b"0\r\n\r\n"


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_backend_that_does_not_read_holds_the_client_back(tmp_path: Path, framing: str) -> None:
    """Whatever the client sends, the edge takes no more than its buffers hold."""
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.read_bodies = False
        read_on = asyncio.Event()

        async def script(_asked: Asked, reader: Reader, writer: Writer) -> None:
            await read_on.wait()
            total = 0
            while total < SIZE:
                total += len(await reader.read(1_000_000))
            writer.write(answer(b"all of it"))

        legacy.script = script
        async with connect(edge.port) as client:
            piece = b"x" * 500_000
            how = b"Content-Length: %d" % SIZE if framing == "length" else b"Transfer-Encoding: chunked"
            await client.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + how + b"\r\n\r\n")
            sent = 0

            async def upload() -> None:
                nonlocal sent
                while sent < SIZE:
                    await client.send(piece if framing == "length" else b"%x\r\n%b\r\n" % (len(piece), piece))
                    sent += len(piece)
                if framing == "chunked":
                    await client.send(b"0\r\n\r\n")

            uploading = asyncio.create_task(upload())
            await stands_still(lambda: sent)
            assert sent < SIZE / 2
            read_on.set()
            await uploading
            assert (await client.answer()).body == b"all of it"


SIZE = 60_000_000


async def stands_still(progress: Callable[[], int]) -> None:
    """Wait until a number that has begun to rise has not changed for some rounds of the loop."""
    seen, rounds = -1, 0
    async with asyncio.timeout(20):
        while rounds < 10:
            await asyncio.sleep(0.02)
            now = progress()
            seen, rounds = now, (rounds + 1 if now == seen and now > 0 else 0)


# -- the answer's framing -------------------------------------------------------------------------------------

BROKEN_ANSWERS = {
    "length and chunked": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\ncontent-length: 3\r\n\r\nabc",
    "list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc",
    "plus": b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc",
    "minus": b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc",
    "hex": b"HTTP/1.1 200 OK\r\nContent-Length: 0x3\r\n\r\nabc",
    "empty length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nabc",
    "too large": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
    "gzip, chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "identity": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nabc",
    "chunked twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunked in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "obfuscated": b"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
    "bare LF in a line": b"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 3\r\n\r\nabc",
    "bare CR": b"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
    "folded": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    "NUL": b"HTTP/1.1 200 OK\r\nA: b\x00\r\n\r\n",
    "no colon": b"HTTP/1.1 200 OK\r\nnothing\r\n\r\n",
    "no name": b"HTTP/1.1 200 OK\r\n: x\r\n\r\n",
    "no version": b"200 OK\r\n\r\n",
    "another version": b"HTTP/2.0 200 OK\r\n\r\n",
    "ICY": b"ICY 200 OK\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "status that is none": b"HTTP/1.1 OK\r\n\r\n",
    "status 6xx": b"HTTP/1.1 600 OK\r\nContent-Length: 3\r\n\r\nabc",
    "status 999": b"HTTP/1.1 999 OK\r\nContent-Length: 3\r\n\r\nabc",
    "status 0xx": b"HTTP/1.1 099 OK\r\n\r\n",
    "a request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTML": b"<html>\r\n\r\n",
    "switch that nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000,
    "a line without end": b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000,
    "a status line without end": b"HTTP/1.1 200 " + b"b" * 100_000,
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500 + b"\r\n",
    "interim without end": b"HTTP/1.1 102 Processing\r\n\r\n" * 100,
}


@pytest.mark.parametrize("name", BROKEN_ANSWERS)
async def test_an_answer_that_two_readers_read_differently_is_502(tmp_path: Path, name: str) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.script = always(BROKEN_ANSWERS[name])
        async with connect(edge.port) as client:
            await client.send(get("/"))
            got = await client.answer()
            while got.status == 102:
                got = await client.answer()
            assert (got.status, json.loads(got.body)["error"]) == (502, "backend_malformed")
            assert await client.ended()
        legacy.script = None
        assert (await fetch(edge.port, get("/"))).body == b"legacy"
        assert legacy.connections == 2


@pytest.mark.parametrize("framing", [b"Content-Length: 4\r\n", b""])
async def test_the_edge_speaks_its_own_version_whatever_the_backends_is(
    tmp_path: Path, framing: bytes
) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):

        async def script(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            writer.write(b"HTTP/1.0 200 Fine\r\n" + framing + b"\r\nbody")
            writer.close()

        legacy.script = script
        async with connect(edge.port) as client:
            for _ in range(2):
                got = await client.ask(get("/"))
                assert (got.start, got.body) == (b"HTTP/1.1 200 Fine", b"body")


BROKEN_BODIES = {
    "size that is none": b"xyz\r\n",
    "negative": b"-1\r\n",
    "2^64": b"10000000000000000\r\n",
    "bare LF": b"3\nabc\n",
    "longer than said": b"3\r\nabcdef\r\n",
    "extension with CR": b"3;a=\rb\r\nabc\r\n",
    "trailer without colon": b"3\r\nabc\r\n0\r\nnothing\r\n\r\n",
    "trailers without end": b"3\r\nabc\r\n0\r\n" + b"A: b\r\n" * 5000,
}


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("name", BROKEN_BODIES)
async def test_chunks_that_break_the_rules_end_the_answer_but_never_cleanly(
    tmp_path: Path, name: str, version: bytes
) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.script = _in_two(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"good")[:-5],
            BROKEN_BODIES[name],
        )
        async with connect(edge.port) as client:
            await client.send(b"GET / HTTP/" + version + b"\r\nHost: a\r\n\r\n")
            assert not await is_whole(client)
        await until(lambda: edge.counted("banyan_edge_failures_total") == 1)


BROKEN_OFF = {
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"abcde"),
    "chunked, within a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\nabc"),
    "chunked, between chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\nabcde\r\n"),
    "chunked, within the end": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"5\r\nabcde\r\n0\r\n",
    ),
}


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("name", BROKEN_OFF)
async def test_half_an_answer_is_never_taken_for_the_whole(
    tmp_path: Path, name: str, version: bytes, how: str
) -> None:
    """Not even by a client of HTTP/1.0, for whom the end of the connection is the end of the body."""
    head, body = BROKEN_OFF[name]
    async with two_sides(tmp_path) as (edge, legacy, _):

        async def script(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            writer.write(head + body)
            await writer.drain()
            await arrived.wait()
            if how == "reset":
                writer.transport.abort()
            else:
                writer.close()

        legacy.script = script
        arrived = asyncio.Event()
        async with connect(edge.port) as client:
            await client.send(b"GET / HTTP/" + version + b"\r\nHost: a\r\n\r\n")
            await client.reader.readuntil(b"200 OK")
            arrived.set()
            assert not await is_whole(client, b"HTTP/1.1 200 OK")
        await until(lambda: edge.counted("banyan_edge_failures_total") == 1)


async def test_a_reset_is_no_end_for_a_body_without_length(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        for version in (b"1.0", b"1.1"):
            arrived = asyncio.Event()

            async def script(
                _asked: Asked, _reader: Reader, writer: Writer, arrived: asyncio.Event = arrived
            ) -> None:
                writer.write(b"HTTP/1.1 200 OK\r\n\r\nabc")
                await arrived.wait()
                _reset(writer)

            legacy.script = script
            async with connect(edge.port) as client:
                await client.send(b"GET / HTTP/" + version + b"\r\nHost: a\r\n\r\n")
                await client.reader.readuntil(b"abc")
                arrived.set()
                with pytest.raises(ConnectionError):
                    await client.reader.read()


def _reset(writer: Writer) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _in_two(first: bytes, second: bytes) -> Script:
    async def script(_asked: Asked, _reader: Reader, writer: Writer) -> None:
        writer.write(first)
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(second)

    return script


async def is_whole(client: RawClient, start: bytes | None = None) -> bool:
    """Whether a reader who knows HTTP takes what comes for a whole answer. `start`: read already."""
    data = start or b""
    try:
        async with asyncio.timeout(10):
            while piece := await client.reader.read(65536):
                data += piece
    except ConnectionError:
        return False
    head, _, body = data.partition(b"\r\n\r\n")
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        return body.endswith(b"0\r\n\r\n")
    if b"content-length:" in lower:
        return len(body) == int(lower.partition(b"content-length:")[2].split(b"\r\n")[0])
    return True
