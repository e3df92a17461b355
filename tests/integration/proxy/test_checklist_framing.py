# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where one request ends and the next begins: every known way of having two servers disagree about it.

Each vector is followed by a second request on the same connection. What is refused gets one answer, the end of the
connection, and no backend hears of it; what is accepted reaches the backend in one plain framing.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.proxytest.backend import ScriptedBackend
from tests.proxytest.client import RawClient, connect, get
from tests.proxytest.edge import InProcessEdge, two_sides
from tests.proxytest.waiting import until

SMUGGLED = get("/smuggled")
CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"


def post(*lines: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    """A POST with these raw header lines."""
    head = b"".join(line + b"\r\n" for line in (b"POST /first HTTP/" + version, b"Host: a", *lines))
    return head + b"\r\n" + body


def with_encoding(line: bytes) -> bytes:
    return post(line, body=CHUNKS)


def with_length(*lines: bytes) -> bytes:
    return post(*lines, body=b"abcde")


LENGTH_AND_CHUNKED = {
    "length first": post(b"Content-Length: 13", b"Transfer-Encoding: chunked", body=CHUNKS),
    "chunked first": post(b"Transfer-Encoding: chunked", b"Content-Length: 3", body=CHUNKS),
    "length zero": post(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=CHUNKS),
    "length of the smuggled": post(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=CHUNKS),
    "lower case": post(b"content-length: 4", b"transfer-encoding: chunked", body=CHUNKS),
    "length and identity": post(b"Content-Length: 5", b"Transfer-Encoding: identity", body=b"abcde"),
    "nominated length": post(
        b"Connection: Content-Length", b"Content-Length: 5", b"Transfer-Encoding: chunked", body=CHUNKS
    ),
    "nominated encoding": post(
        b"Connection: Transfer-Encoding", b"Content-Length: 5", b"Transfer-Encoding: chunked", body=CHUNKS
    ),
}
ENCODINGS = {
    "vertical tab before": b"Transfer-Encoding:\x0bchunked",
    "vertical tab behind": b"Transfer-Encoding: chunked\x0b",
    "form feed": b"Transfer-Encoding: \x0cchunked",
    "NUL behind the name": b"Transfer-Encoding\x00: chunked",
    "NUL behind": b"Transfer-Encoding: chunked\x00",
    "space before the colon": b"Transfer-Encoding : chunked",
    "tab before the colon": b"Transfer-Encoding\t: chunked",
    "space before the name": b" Transfer-Encoding: chunked",
    "bare LF": b"X: y\nTransfer-Encoding: chunked",
    "bare CR": b"X: y\rTransfer-Encoding: chunked",
    "bare LF before the value": b"Transfer-Encoding:\nchunked",
    "folded value": b"Transfer-Encoding:\r\n chunked",
    "folded name": b"X: y\r\n Transfer-Encoding: chunked",
    "folded by tab": b"Transfer-Encoding: chu\r\n\tnked",
    "double quotes": b'Transfer-Encoding: "chunked"',
    "single quotes": b"Transfer-Encoding: 'chunked'",
    "parameter": b"Transfer-Encoding: chunked;x",
    "parameter with value": b"Transfer-Encoding: chunked; a=b",
    "comma before": b"Transfer-Encoding: ,chunked",
    "comma behind": b"Transfer-Encoding: chunked,",
    "cow-bell behind": b"Transfer-Encoding: chunked, cow-bell",
    "cow-bell before": b"Transfer-Encoding: cow-bell, chunked",
    "twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "twice, other case": b"Transfer-Encoding: chunked\r\ntransfer-encoding: identity",
    "twice, second cow-bell": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow-bell",
    "twice, first empty": b"Transfer-Encoding:\r\nTransfer-Encoding: chunked",
    "twice in one": b"Transfer-Encoding: chunked, chunked",
    "identity": b"Transfer-Encoding: identity",
    "gzip and chunked": b"Transfer-Encoding: gzip, chunked",
    "x before": b"Transfer-Encoding: xchunked",
    "x behind": b"Transfer-Encoding: chunkedx",
    "empty": b"Transfer-Encoding:",
    "two words": b"Transfer-Encoding: chunked identity",
    "latin small c": "Transfer-Encoding: \u0441hunked".encode(),
    "soft hyphen": b"Transfer-Encoding: chunked\xad",
    "no-break space": b"Transfer-Encoding: chunked\xa0",
    "colon twice": b"Transfer-Encoding:: chunked",
    "equals": b"Transfer-Encoding= chunked",
    "no colon": b"Transfer-Encoding chunked",
    "bracket name": b"Transfer-Encoding]: chunked",
    "unicode name": "Tran\u017ffer-Encoding: chunked".encode(),
}
LENGTHS = {
    "plus": [b"Content-Length: +5"],
    "minus": [b"Content-Length: -5"],
    "hex": [b"Content-Length: 0x5"],
    "octal prefix": [b"Content-Length: 0o5"],
    "underscore": [b"Content-Length: 5_0"],
    "fraction": [b"Content-Length: 5.0"],
    "exponent": [b"Content-Length: 5e0"],
    "list": [b"Content-Length: 5,5"],
    "list with space": [b"Content-Length: 5, 5"],
    "comma behind": [b"Content-Length: 5,"],
    "NUL behind": [b"Content-Length: 5\x00"],
    "unicode digit": ["Content-Length: \u0665".encode()],
    "superscript": [b"Content-Length: \xb2"],
    "quotes": [b'Content-Length: "5"'],
    "two words": [b"Content-Length: 5 6"],
    "semicolon": [b"Content-Length: 5;x"],
    "empty": [b"Content-Length:"],
    "blank": [b"Content-Length:  "],
    "word": [b"Content-Length: five"],
    "vertical tab": [b"Content-Length: \x0b5"],
    "too large": [b"Content-Length: 18446744073709551621"],
    "far too large": [b"Content-Length: " + b"9" * 400],
    "twice": [b"Content-Length: 5", b"Content-Length: 5"],
    "twice, other case": [b"Content-Length: 5", b"content-length: 0"],
    "twice, far apart": [b"CONTENT-LENGTH: 0", b"X: y", b"Content-length: 5"],
    "folded": [b"Content-Length:\r\n 5"],
    "space before the colon": [b"Content-Length : 5"],
    "NUL before the colon": [b"Content-Length\x00: 5"],
    "bare LF": [b"X: y\nContent-Length: 5"],
    "first header with space": [b" Content-Length: 5"],
}
BROKEN_CHUNKS = {
    "bare LF behind the size": b"3\nabc\r\n0\r\n\r\n",
    "bare CR behind the size": b"3\rabc\r\n0\r\n\r\n",
    "bare LF behind the data": b"3\r\nabc\n0\r\n\r\n",
    "bare CR behind the data": b"3\r\nabc\r0\r\n\r\n",
    "bare LF at the end": b"3\r\nabc\r\n0\n\n",
    "LF CR": b"3\n\rabc\r\n0\r\n\r\n",
    "negative": b"-3\r\nabc\r\n0\r\n\r\n",
    "plus": b"+3\r\nabc\r\n0\r\n\r\n",
    "hex prefix": b"0x3\r\nabc\r\n0\r\n\r\n",
    "underscore": b"0_3\r\nabc\r\n0\r\n\r\n",
    "no size": b"\r\nabc\r\n0\r\n\r\n",
    "no hex": b"g\r\nabc\r\n0\r\n\r\n",
    "2^64": b"10000000000000000\r\nabc\r\n0\r\n\r\n",
    "2^64 + 3": b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    "2^128": b"1" + b"0" * 32 + b"\r\nabc\r\n0\r\n\r\n",
    "many zeros": b"0" * 40 + b"3\r\nabc\r\n0\r\n\r\n",
    "space before": b" 3\r\nabc\r\n0\r\n\r\n",
    "space behind": b"3 \r\nabc\r\n0\r\n\r\n",
    "tab behind": b"3\t\r\nabc\r\n0\r\n\r\n",
    "vertical tab behind": b"3\x0b\r\nabc\r\n0\r\n\r\n",
    "NUL behind": b"3\x00\r\nabc\r\n0\r\n\r\n",
    "two sizes": b"3 5\r\nabc\r\n0\r\n\r\n",
    "comma": b"3,3\r\nabc\r\n0\r\n\r\n",
    "data longer than said": b"3\r\nabcd\r\n0\r\n\r\n",
    "data shorter than said": b"5\r\nabc\r\n0\r\n\r\n",
    "extension with bare LF": b"3;a=\nb\r\nabc\r\n0\r\n\r\n",
    "extension with bare CR": b"3;a=b\rc\r\nabc\r\n0\r\n\r\n",
    "extension that is empty": b"3;\r\nabc\r\n0\r\n\r\n",
    "extension with an open quote": b'3;a="b\r\nabc\r\n0\r\n\r\n',
    "extension with CRLF in quotes": b'3;a="b\r\n"\r\nabc\r\n0\r\n\r\n',
    "extension with NUL": b"3;a=\x00\r\nabc\r\n0\r\n\r\n",
    "extension without name": b"3;=b\r\nabc\r\n0\r\n\r\n",
    "extension too long": b"3;a=" + b"b" * 4096 + b"\r\nabc\r\n0\r\n\r\n",
    "size line without end": b"3" * 5000,
    "trailer without colon": b"3\r\nabc\r\n0\r\nno colon\r\n\r\n",
    "trailer with bare LF": b"3\r\nabc\r\n0\r\nA: b\nC: d\r\n\r\n",
    "trailer folded": b"3\r\nabc\r\n0\r\nA: b\r\n c\r\n\r\n",
    "trailer with space before the colon": b"3\r\nabc\r\n0\r\nA : b\r\n\r\n",
    "trailer with NUL": b"3\r\nabc\r\n0\r\nA: \x00\r\n\r\n",
    "trailers too large": b"3\r\nabc\r\n0\r\n" + b"A: b\r\n" * 3000 + b"\r\n",
    "last chunk with LF": b"3\r\nabc\r\n0\r\n\n",
    "last chunk without its blank line": b"3\r\nabc\r\n0\r\n",
    "last chunk without any end": b"3\r\nabc\r\n0",
    "last chunk with data": b"3\r\nabc\r\n0\r\nx\r\n",
}
REQUEST_LINES = {
    "two spaces": b"GET  /first HTTP/1.1",
    "space at the end": b"GET /first HTTP/1.1 ",
    "space at the start": b" GET /first HTTP/1.1",
    "tab": b"GET\t/first\tHTTP/1.1",
    "tab in the target": b"GET /fir\tst HTTP/1.1",
    "vertical tab": b"GET /first\x0bHTTP/1.1",
    "space in the target": b"GET /fir st HTTP/1.1",
    "bare CR": b"GET /first\rHTTP/1.1",
    "CR before CRLF": b"GET /first HTTP/1.1\r",
    "NUL in the target": b"GET /fir\x00st HTTP/1.1",
    "DEL in the target": b"GET /fir\x7fst HTTP/1.1",
    "fragment": b"GET /first#part HTTP/1.1",
    "no method": b"/first HTTP/1.1",
    "empty method": b" /first HTTP/1.1",
    "method with colon": b"GE:T /first HTTP/1.1",
    "method with bracket": b"GE[T /first HTTP/1.1",
    "method with NUL": b"GE\x00T /first HTTP/1.1",
    "method in quotes": b'"GET" /first HTTP/1.1',
    "method that is not ASCII": "GÉT /first HTTP/1.1".encode(),
    "no target": b"GET HTTP/1.1",
    "target without slash": b"GET first HTTP/1.1",
    "target of another scheme": b"GET gopher://a/first HTTP/1.1",
    "target with an empty host": b"GET http:///first HTTP/1.1",
    "target with user": b"GET http://u:p@a/first HTTP/1.1",
    "asterisk for GET": b"GET * HTTP/1.1",
    "authority for GET": b"GET a:80 HTTP/1.1",
    "HTTP/0.9": b"GET /first",
    "HTTP/0.9 named": b"GET /first HTTP/0.9",
    "HTTP/1": b"GET /first HTTP/1",
    "HTTP/1.": b"GET /first HTTP/1.",
    "HTTP/1.2": b"GET /first HTTP/1.2",
    "HTTP/1.10": b"GET /first HTTP/1.10",
    "HTTP/01.1": b"GET /first HTTP/01.1",
    "HTTP/2.0": b"GET /first HTTP/2.0",
    "HTTP/3": b"GET /first HTTP/3",
    "lower-case version": b"GET /first http/1.1",
    "another protocol": b"GET /first HTTPS/1.1",
    "ICY": b"GET /first ICY/1.1",
    "space in the version": b"GET /first HTTP/ 1.1",
    "unicode digit": "GET /first HTTP/1.١".encode(),
    "HTTP/2's preface": b"PRI * HTTP/2.0",
    "RTSP": b"OPTIONS * RTSP/1.0",
}
HOSTS = {
    "none": [],
    "empty": [b"Host:"],
    "blank": [b"Host: \t "],
    "port alone": [b"Host: :80"],
    "two, first empty": [b"Host:", b"Host: a"],
    "two": [b"Host: a", b"Host: a"],
    "two, other case": [b"Host: a", b"host: b"],
    "list": [b"Host: a, b"],
    "space": [b"Host: a b"],
    "path": [b"Host: a/b"],
    "query": [b"Host: a?b"],
    "fragment": [b"Host: a#b"],
    "user": [b"Host: u@a"],
    "scheme": [b"Host: http://a"],
    "port that is none": [b"Host: a:b"],
    "port too long": [b"Host: a:123456"],
    "two ports": [b"Host: a:1:2"],
    "backslash": [b"Host: a\\b"],
    "angle brackets": [b"Host: <a>"],
    "quotes": [b'Host: "a"'],
    "open bracket": [b"Host: [::1"],
    "name in brackets": [b"Host: [a.test]"],
    "NUL": [b"Host: a\x00b"],
    "tab within": [b"Host: a\tb"],
    "bare LF": [b"Host: a\nX: b"],
    "folded": [b"Host: a\r\n b"],
    "space before the colon": [b"Host : a"],
    "space before the name": [b" Host: a"],
    "unicode": ["Host: å.test".encode()],
}
LINES = {
    "no name": b": v",
    "no colon": b"no colon here",
    "space in the name": b"A B: v",
    "bracket in the name": b"A(: v",
    "unicode name": "É: v".encode(),
    "control in the value": b"A: v\x01",
    "DEL in the value": b"A: v\x7f",
    "ESC in the value": b"A: \x1b[2J",
    "folded by space": b"A: v\r\n w",
    "folded by tab": b"A: v\r\n\tw",
    "folded at once": b" w",
    "blank line of spaces": b" ",
    "bare CR at the end": b"A: v\r",
    "bare LF": b"A: v\nB: w",
    "bare LF LF": b"A: v\n\nGET /smuggled HTTP/1.1",
    "quoted name": b'"A": v',
    "semicolon in the name": b"A;B: v",
    "slash in the name": b"A/B: v",
    "at in the name": b"A@: v",
}

REFUSED = {
    **{f"length and chunked, {name}": data for name, data in LENGTH_AND_CHUNKED.items()},
    **{f"encoding: {name}": with_encoding(line) for name, line in ENCODINGS.items()},
    "encoding in HTTP/1.0": post(b"Transfer-Encoding: chunked", body=CHUNKS, version=b"1.0"),
    **{f"length: {name}": with_length(*lines) for name, lines in LENGTHS.items()},
    **{
        f"chunks: {name}": post(b"Transfer-Encoding: chunked", body=body)
        for name, body in BROKEN_CHUNKS.items()
    },
    **{f"request line: {name}": line + b"\r\nHost: a\r\n\r\n" for name, line in REQUEST_LINES.items()},
    **{
        f"host: {name}": b"".join(line + b"\r\n" for line in (b"GET /first HTTP/1.1", *lines)) + b"\r\n"
        for name, lines in HOSTS.items()
    },
    **{
        f"line: {name}": b"GET /first HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n"
        for name, line in LINES.items()
    },
    "two empty lines before": b"\r\n\r\nGET /first HTTP/1.1\r\nHost: a\r\n\r\n",
    "bare LF before": b"\nGET /first HTTP/1.1\r\nHost: a\r\n\r\n",
    "bare LFs only": b"GET /first HTTP/1.1\nHost: a\n\n",
    "NUL before": b"\x00GET /first HTTP/1.1\r\nHost: a\r\n\r\n",
    "byte order mark": b"\xef\xbb\xbfGET /first HTTP/1.1\r\nHost: a\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n",
    "an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
}


async def refused(client: RawClient, edge: InProcessEdge) -> None:
    """One refusal, then the end, on both sides."""
    got = await client.answer()
    assert got.status in (400, 505), got.start
    assert got.value(b"connection") == b"close"
    assert set(json.loads(got.body)) == {"error", "message", "request_id"}
    assert await client.ended()
    client.writer.close()
    await until(lambda: not edge.edge.connections)


def untouched(*sides: ScriptedBackend) -> bool:
    """Whether no backend saw a whole request."""
    return not any(asked.message.complete for side in sides for asked in side.asked)


@pytest.mark.parametrize("name", REFUSED)
async def test_what_servers_read_differently_is_refused_and_reaches_nobody(tmp_path: Path, name: str) -> None:
    async with two_sides(tmp_path) as (edge, legacy, python):
        async with connect(edge.port) as client:
            await client.send(REFUSED[name] + SMUGGLED)
            await refused(client, edge)
        assert legacy.asked == python.asked == []


@pytest.mark.parametrize("name", BROKEN_CHUNKS)
async def test_chunks_that_break_on_the_way_are_never_completed_for_the_backend(
    tmp_path: Path, name: str
) -> None:
    async with two_sides(tmp_path) as (edge, legacy, python):
        async with connect(edge.port) as client:
            await client.send(post(b"Transfer-Encoding: chunked", body=b"2\r\nxy\r\n"))
            await until(lambda: legacy.connections == 1)
            await client.send(BROKEN_CHUNKS[name] + SMUGGLED)
            await refused(client, edge)
        assert untouched(legacy, python)
        assert edge.requests() == {("unmatched", "legacy"): 1}


ACCEPTED = {
    "no space": (b"Transfer-Encoding:chunked", CHUNKS, b"abc"),
    "tab before": (b"Transfer-Encoding:\tchunked", CHUNKS, b"abc"),
    "space behind": (b"Transfer-Encoding: chunked \t", CHUNKS, b"abc"),
    "other case": (b"TRANSFER-encoding: ChunKED", CHUNKS, b"abc"),
    "length with space behind": (b"Content-Length: 5 ", b"abcde", b"abcde"),
    "length with zeros": (b"Content-Length: 0005", b"abcde", b"abcde"),
    "length with tab": (b"Content-Length:\t5", b"abcde", b"abcde"),
    "extension": (b"Transfer-Encoding: chunked", b"3;a=b\r\nabc\r\n0;c\r\n\r\n", b"abc"),
    "extension in quotes": (b"Transfer-Encoding: chunked", b'3 ; a = "b c"\r\nabc\r\n0\r\n\r\n', b"abc"),
    "size with zeros": (b"Transfer-Encoding: chunked", b"003\r\nabc\r\n000\r\n\r\n", b"abc"),
    "upper-case size": (b"Transfer-Encoding: chunked", b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "trailers": (
        b"Transfer-Encoding: chunked",
        b"3\r\nabc\r\n0\r\nContent-Length: 9\r\nA: b\r\n\r\n",
        b"abc",
    ),
    "nothing": (b"Transfer-Encoding: chunked", b"0\r\n\r\n", b""),
    "no body": (b"Content-Length: 0", b"", b""),
    "a body that looks like a request": (b"Content-Length: %d" % len(SMUGGLED), SMUGGLED, SMUGGLED),
}


@pytest.mark.parametrize("pieces", ["at once", "byte by byte"])
@pytest.mark.parametrize("name", ACCEPTED)
async def test_what_is_plain_reaches_the_backend_in_one_framing(
    tmp_path: Path, name: str, pieces: str
) -> None:
    line, body, whole = ACCEPTED[name]
    async with two_sides(tmp_path) as (edge, legacy, _):
        async with connect(edge.port) as client:
            data = post(line, body=body) + get("/second")
            for piece in [data] if pieces == "at once" else [data[at : at + 1] for at in range(len(data))]:
                await client.send(piece)
            assert (await client.answer()).body == b"legacy"
            assert (await client.answer()).body == b"legacy"
        first, second = legacy.asked
        assert (first.target, first.message.body, second.target) == (b"/first", whole, b"/second")
        assert len(first.header(b"content-length") + first.header(b"transfer-encoding")) == 1
        assert first.header(b"transfer-encoding") == ([b"chunked"] if b"chunk" in line.lower() else [])
        assert first.header(b"trailer") == first.header(b"a") == []
        assert second.message.body == b""


async def test_a_name_that_rack_reads_as_framing_goes_no_further(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        async with connect(edge.port) as client:
            names = (b"Transfer_Encoding: chunked", b"Content_Length: 3", b"transfer_encoding: x")
            await client.ask(post(b"Content-Length: 5", *names, body=b"abcde"))
        assert [line.partition(b":")[0] for line in legacy.asked[0].message.lines if b"_" in line] == []
        assert legacy.asked[0].message.body == b"abcde"


async def test_a_refusal_after_good_requests_comes_behind_their_answers(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        async with connect(edge.port) as client:
            bad = post(b"Content-Length: 1", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n")
            await client.send(get("/1") + get("/2") + bad + SMUGGLED)
            assert [(await client.answer()).status for _ in range(2)] == [200, 200]
            await refused(client, edge)
        assert [asked.target for asked in legacy.asked] == [b"/1", b"/2"]


async def test_one_empty_line_before_a_request_is_forgiven(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        async with connect(edge.port) as client:
            await client.send(b"\r\n" + post(b"Content-Length: 2", body=b"ab") + b"\r\n" + get("/second"))
            assert [(await client.answer()).status for _ in range(2)] == [200, 200]
        assert [asked.message.body for asked in legacy.asked] == [b"ab", b""]


async def test_connect_is_refused_by_name(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        async with connect(edge.port) as client:
            await client.send(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n" + SMUGGLED)
            assert (await client.answer()).status == 405
            assert await client.ended()
        assert legacy.asked == []
