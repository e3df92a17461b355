# SPDX-License-Identifier: AGPL-3.0-or-later
"""RFC 9112 and 9110, rule by rule, as a client sees it that sends, closes its side, and reads until the end.

Thirty-three cases like those of public conformance suites, which ask any server and know nothing of a backend.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.proxytest.backend import Asked, answer
from tests.proxytest.client import Message, connect, get, read_message
from tests.proxytest.edge import two_sides


@dataclass(frozen=True)
class Rule:
    """What is sent, and the statuses of which the first answer must have one. `alone`: no second answer follows."""

    sent: bytes
    statuses: frozenset[int]
    alone: bool = True


def lines(*parts: bytes, body: bytes = b"") -> bytes:
    """Lines and a body."""
    return b"\r\n".join([*parts, b"", body])


def post(*headers: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    """A POST."""
    return lines(b"POST / HTTP/" + version, b"Host: a.test", *headers, body=body)


OK = frozenset({200})
BAD = frozenset({400})
CHUNKS = b"4\r\ndata\r\n0\r\n\r\n"
AFTER = get("/after")

RULES = {
    # RFC 9112 section 3: the request line
    "a plain GET is served": Rule(get("/"), OK),
    "a body with its length is taken": Rule(post(b"Content-Length: 4", body=b"data"), OK),
    "OPTIONS may ask about the whole server": Rule(get("*", method="OPTIONS"), OK),
    "an absolute target is understood": Rule(get("http://a.test/"), OK),
    "CONNECT is understood, and not served": Rule(get("a.test:443", method="CONNECT"), frozenset({405})),
    "another major version is refused": Rule(lines(b"GET / HTTP/3.0", b"Host: a.test"), frozenset({505})),
    "a line without version is refused": Rule(lines(b"GET /", b"Host: a.test"), BAD),
    # section 5 and RFC 9110 section 7.2: fields
    "Host is required": Rule(lines(b"GET / HTTP/1.1", b"Accept: */*"), BAD),
    "Host comes once": Rule(lines(b"GET / HTTP/1.1", b"Host: a.test", b"Host: b.test"), BAD),
    "Host has no spaces": Rule(lines(b"GET / HTTP/1.1", b"Host: a test"), BAD),
    "names are tokens": Rule(get("/", "X Name: v"), BAD),
    "lines are not folded": Rule(get("/", "X-Name: v", " and more"), BAD),
    "names end at the colon": Rule(get("/", "X-Name : v"), BAD),
    "values have no NUL": Rule(get("/", "X-Name: a\0b"), BAD),
    # sections 6 and 7: framing
    "chunks are taken": Rule(post(b"Transfer-Encoding: chunked", body=CHUNKS), OK),
    "chunks are not of HTTP/1.0": Rule(post(b"Transfer-Encoding: chunked", body=CHUNKS, version=b"1.0"), BAD),
    "chunks have no length besides": Rule(
        post(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=CHUNKS) + AFTER, BAD
    ),
    "length and chunks end the connection": Rule(
        post(b"Transfer-Encoding: chunked", b"Content-Length: 14", body=CHUNKS) + AFTER, BAD
    ),
    "unknown codings are refused": Rule(
        post(b"Transfer-Encoding: rot13", body=b"qngn"), frozenset({400, 501})
    ),
    "chunked is the last coding": Rule(post(b"Transfer-Encoding: chunked, gzip", body=CHUNKS) + AFTER, BAD),
    "a length is a number": Rule(post(b"Content-Length: four", body=b"data") + AFTER, BAD),
    "lengths agree": Rule(post(b"Content-Length: 4", b"Content-Length: 5", body=b"data!") + AFTER, BAD),
    "chunk sizes are hexadecimal": Rule(
        post(b"Transfer-Encoding: chunked", body=b"4z\r\ndata\r\n0\r\n\r\n") + AFTER, BAD
    ),
    "chunks end with CRLF": Rule(
        post(b"Transfer-Encoding: chunked", body=b"4\r\ndata0\r\n\r\n") + AFTER, BAD
    ),
    # section 9: connections
    "connections are kept": Rule(get("/") + AFTER, OK, alone=False),
    "close is honoured": Rule(get("/", "Connection: close") + AFTER, OK),
    "HTTP/1.0 closes": Rule(lines(b"GET / HTTP/1.0", b"Host: a.test") + AFTER, OK),
    # limits
    "a very long target is survived": Rule(get("/" + "x" * 20_000), frozenset({414})),
    "very many headers are survived": Rule(get("/", *(f"X-{n}: v" for n in range(500))), frozenset({431})),
    "a very long header is survived": Rule(get("/", "X-Long: " + "x" * 80_000), frozenset({431})),
}


async def _answers(port: int, sent: bytes) -> list[Message]:
    async with connect(port) as client, asyncio.timeout(10):
        client.writer.write(sent)
        client.writer.write_eof()
        got = []
        while (message := await read_message(client.reader, method=sent.split(b" ")[0])) is not None:
            got.append(message)
        return got


@pytest.mark.parametrize("name", RULES)
async def test_rule(tmp_path: Path, name: str) -> None:
    rule = RULES[name]
    async with two_sides(tmp_path) as (edge, legacy, _):
        got = await _answers(edge.port, rule.sent)
        assert got[0].status in rule.statuses
        assert got[0].complete
        assert len(got) == (1 if rule.alone else 2)
        assert len(legacy.asked) == (len(got) if rule.statuses == OK else 0)
        # Whatever it was, the next one is served.
        assert [one.status for one in await _answers(edge.port, get("/"))] == [200]


async def test_head_has_no_body(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):

        async def head(_asked: Asked, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")

        legacy.script = head
        async with connect(edge.port) as client, asyncio.timeout(10):
            client.writer.write(get("/", "Connection: close", method="HEAD"))
            assert (await client.reader.read()).endswith(b"\r\n\r\n")


async def test_an_error_tells_where_it_ends(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, _, _):
        for sent in (b"GET /\r\n\r\n", get("a", method="CONNECT"), get("/" + "x" * 20_000)):
            (got,) = await _answers(edge.port, sent)
            assert got.value(b"content-length") == b"%d" % len(got.body)
            assert got.value(b"connection") == b"close"


async def test_an_expectation_is_met_or_declined(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.read_bodies = False

        async def go_on(_asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            writer.write(answer(await reader.readexactly(4)))

        legacy.script = go_on
        async with connect(edge.port) as client:
            await client.send(post(b"Expect: 100-continue", b"Content-Length: 4"))
            assert (await client.answer(b"POST")).status == 100
            await client.send(b"data")
            assert (await client.answer(b"POST")).body == b"data"


def test_there_are_as_many_as_in_public_suites() -> None:
    assert len(RULES) + 3 == 33
