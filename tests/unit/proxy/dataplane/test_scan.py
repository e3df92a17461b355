# SPDX-License-Identifier: AGPL-3.0-or-later
"""The scanner: what it refuses, what it keeps, where a body begins and ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dataplane.heads import CHUNKED, UNTIL_CLOSE, RequestHead, ResponseHead
from proxy.dataplane.scan import Scanner
from proxy.model import HeadLimits, Malformed

SCANNER = Scanner(HeadLimits(head_bytes=4096, target_bytes=1024, header_count=20), frozenset({b"x-b"}))


def lines_of(head: RequestHead | ResponseHead) -> list[bytes]:
    *lines, end = head.block.split(b"\r\n")
    assert end == b""
    return lines


def request(start: bytes = b"GET / HTTP/1.1", *lines: bytes, host: bytes = b"Host: a.test") -> bytes:
    kept = [start, *([host] if host else []), *lines]
    return b"\r\n".join(kept) + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "code", "status"),
    [
        (request(b"GET /"), "request-line", 400),
        (request(b"GET  / HTTP/1.1"), "request-line", 400),
        (request(b"GET / HTTP/1.1 x"), "request-line", 400),
        (request(b"G(T / HTTP/1.1"), "request-line", 400),
        (request(b"GET / HTTP/2.0"), "http-version", 505),
        (request(b"GET / http/1.1"), "http-version", 400),
        (request(b"GET / HTTP/1.2"), "http-version", 400),
        (request(b"GET / HTTP/11"), "http-version", 400),
        (request(b"GET a HTTP/1.1"), "target", 400),
        (request(b"GET /#part HTTP/1.1"), "target", 400),
        (request(b"GET http://u@a.test/ HTTP/1.1"), "host", 400),
        (request(b"CONNECT a.test:443 HTTP/1.1"), "connect", 405),
        (request(b"CONNECT /a HTTP/1.1"), "connect", 405),
        (request(b"GET * HTTP/1.1"), "target", 400),
        (request(host=b""), "host", 400),
        (request(b"GET / HTTP/1.1", b"Host: b.test"), "host", 400),
        (request(host=b"Host:"), "host", 400),
        (request(host=b"Host: :80"), "host", 400),
        (request(b"GET http://:80/ HTTP/1.1"), "host", 400),
        (request(host=b"Host: a b"), "host", 400),
        (request(host=b"Host: a.test/x"), "host", 400),
        (request(b"GET / HTTP/1.1", b"Name : v"), "header-name", 400),
        (request(b"GET / HTTP/1.1", b": v"), "header-name", 400),
        (request(b"GET / HTTP/1.1", b" folded"), "header-colon", 400),
        (request(b"GET / HTTP/1.1", b" folded: v"), "header-name", 400),
        (request(b"GET / HTTP/1.1", b"no colon"), "header-colon", 400),
        (request(b"GET / HTTP/1.1", b"A: b\nC: d"), "bare-line-break", 400),
        (request(b"GET / HTTP/1.1", b"A: b\rC: d"), "bare-line-break", 400),
        (request(b"GET / HTTP/1.1", b"A: b\0"), "control-character", 400),
        (request(b"GET /\x7f HTTP/1.1"), "control-character", 400),
        (request(b"POST / HTTP/1.1", b"Content-Length: 1", b"Content-Length: 1"), "content-length", 400),
        (request(b"POST / HTTP/1.1", b"Content-Length: 1, 1"), "content-length", 400),
        (request(b"POST / HTTP/1.1", b"Content-Length: +1"), "content-length", 400),
        (request(b"POST / HTTP/1.1", b"Content-Length: -1"), "content-length", 400),
        (request(b"POST / HTTP/1.1", b"Content-Length: 0x1"), "content-length", 400),
        (request(b"POST / HTTP/1.1", b"Content-Length: 1 1"), "content-length", 400),
        (request(b"POST / HTTP/1.1", b"Content-Length:"), "content-length", 400),
        (request(b"POST / HTTP/1.1", b"Content-Length: 9999999999999999999"), "content-length", 400),
        (
            request(b"POST / HTTP/1.1", b"Content-Length: 1", b"Transfer-Encoding: chunked"),
            "length-and-chunked",
            400,
        ),
        (request(b"POST / HTTP/1.1", b"Transfer-Encoding: xchunked"), "transfer-encoding", 400),
        (request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked, identity"), "transfer-encoding", 400),
        (request(b"POST / HTTP/1.1", b"Transfer-Encoding: gzip, chunked"), "transfer-encoding", 400),
        (request(b"POST / HTTP/1.1", b"Transfer-Encoding:"), "transfer-encoding", 400),
        (
            request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
            "transfer-encoding",
            400,
        ),
        (request(b"POST / HTTP/1.0", b"Transfer-Encoding: chunked"), "transfer-encoding", 400),
        (request(b"GET / HTTP/1.1", *(b"X-%d: y" % n for n in range(30))), "too-many-headers", 431),
        (request(b"GET / HTTP/1.1", b"X: " + b"y" * 5000), "head-too-large", 431),
        (request(b"GET /" + b"y" * 2000 + b" HTTP/1.1"), "target-too-long", 414),
    ],
)
def test_refuses_what_servers_read_differently(data: bytes, code: str, status: int) -> None:
    with pytest.raises(Malformed) as refused:
        SCANNER.request(data)
    assert (refused.value.code, refused.value.status) == (code, status)


@pytest.mark.parametrize(
    ("beginning", "code"),
    [
        (b"GET / HTTP/1.1\nHost: a", "bare-line-break"),
        (b"GET / HTTP/1.1\r\nA: b\rc", "bare-line-break"),
        (b"GET /\0", "control-character"),
        (b"x" * 2000, "target-too-long"),
        (b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\n", "target-too-long"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 1000, "head-too-large"),
    ],
)
def test_refuses_a_hopeless_beginning_without_waiting_for_its_end(beginning: bytes, code: str) -> None:
    with pytest.raises(Malformed) as refused:
        SCANNER.request(beginning)
    assert refused.value.code == code


def test_keeps_order_duplicates_and_bytes() -> None:
    lines = (b"X-b:  two  spaces ", b"x-B: again", b"X-Latin: caf\xe9", b"X-Utf: \xc3\xa9", b"Empty:")
    head = SCANNER.request(request(b"GET /%2F//..;a?b=%20 HTTP/1.1", *lines))
    assert head is not None
    assert lines_of(head) == [b"Host: a.test", *lines]
    assert (head.path, head.query, head.target) == (b"/%2F//..;a", b"b=%20", b"/%2F//..;a?b=%20")
    assert head.fields[b"x-b"] == b"two  spaces"


def test_drops_what_belongs_to_one_hop_and_what_connection_names() -> None:
    head = SCANNER.request(
        request(
            b"GET / HTTP/1.1",
            b"Connection: close, X-Mine, Host, Cookie, X-Forwarded-For, Content-Length",
            b"Keep-Alive: 5",
            b"TE: trailers",
            b"Proxy-Connection: x",
            b"Trailer: x",
            b"X-Mine: 1",
            b"Cookie: a=1",
            b"X-Other: 2",
            b"X-Forwarded-For: 1.2.3.4",
        ),
    )
    assert head is not None
    assert lines_of(head) == [b"Host: a.test", b"Cookie: a=1", b"X-Other: 2"]
    assert head.forwarding == {b"x-forwarded-for": b"1.2.3.4"}
    assert not head.keep_alive


@pytest.mark.parametrize(
    "line",
    [
        b"X_Forwarded_For: 1.2.3.4",
        b"X-Banyan-Build: 1",
        b"x_banyan_shadow: 1",
        b"Content_Length: 5",
        b"X_Real-IP: 1",
    ],
)
def test_drops_names_by_which_a_client_could_speak_for_the_edge(line: bytes) -> None:
    head = SCANNER.request(request(b"GET / HTTP/1.1", line))
    assert head is not None
    assert lines_of(head) == [b"Host: a.test"]
    assert head.forwarding == {}


def test_sees_the_mark_of_a_repeated_request_and_forwards_it_to_nobody() -> None:
    head = SCANNER.request(request(b"GET / HTTP/1.1", b"X-Banyan-Shadow: mine"))
    assert head is not None
    assert lines_of(head) == [b"Host: a.test"]
    assert head.forwarding == {b"x-banyan-shadow": b"mine"}


def test_absolute_form_becomes_origin_form_with_its_host() -> None:
    head = SCANNER.request(request(b"GET http://b.test:81?x HTTP/1.1"))
    assert head is not None
    assert (head.target, head.path, head.query, head.host) == (b"/?x", b"/", b"x", b"b.test:81")
    assert lines_of(head) == [b"Host: b.test:81"]


@pytest.mark.parametrize(
    ("start", "line", "length"),
    [
        (b"GET / HTTP/1.1", b"A: b", 0),
        (b"POST / HTTP/1.1", b"Content-Length: 12", 12),
        (b"POST / HTTP/1.1", b"Transfer-Encoding: Chunked", CHUNKED),
    ],
)
def test_frames_a_request(start: bytes, line: bytes, length: int) -> None:
    head = SCANNER.request(request(start, line))
    assert head is not None
    assert head.length == length


@pytest.mark.parametrize(
    ("version", "line", "kept"),
    [
        (b"1.1", b"A: b", True),
        (b"1.1", b"Connection: close", False),
        (b"1.0", b"A: b", False),
        (b"1.0", b"Connection: keep-alive", True),
    ],
)
def test_persistence(version: bytes, line: bytes, kept: bool) -> None:
    head = SCANNER.request(request(b"GET / HTTP/" + version, line))
    assert head is not None
    assert head.keep_alive is kept


def test_upgrades_to_websocket_only() -> None:
    asked = SCANNER.request(request(b"GET / HTTP/1.1", b"Connection: Upgrade", b"Upgrade: websocket"))
    assert asked is not None
    assert asked.upgrade
    for start, line in (
        (b"GET / HTTP/1.1", b"h2c"),
        (b"POST / HTTP/1.1", b"websocket"),
        (b"GET / HTTP/1.0", b"websocket"),
    ):
        head = SCANNER.request(request(start, b"Connection: Upgrade", b"Upgrade: " + line))
        assert head is not None
        assert not head.upgrade


def test_joins_cookies() -> None:
    head = SCANNER.request(request(b"GET / HTTP/1.1", b"Cookie: a=1", b"Cookie: b=2"))
    assert head is not None
    assert head.fields[b"cookie"] == b"a=1; b=2"
    assert lines_of(head)[1:] == [b"Cookie: a=1", b"Cookie: b=2"]


@given(st.data())
def test_finds_the_same_head_however_it_is_cut(data: st.DataObject) -> None:
    whole = request(b"POST /a?b HTTP/1.1", b"Content-Length: 3", b"X: y") + b"abc"
    cut = data.draw(st.integers(0, len(whole)))
    first = SCANNER.request(whole[:cut])
    head = SCANNER.request(whole)
    assert head is not None
    assert whole[head.size :] == b"abc"
    assert (first is None) == (cut < head.size)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_head_or_refused(data: bytes) -> None:
    for scanned in (data, b"GET / HTTP/1.1\r\n" + data + b"\r\n\r\n", data + b"\r\n\r\n"):
        try:
            head = SCANNER.request(scanned)
        except Malformed:
            continue
        assert head is None or b"\n" not in head.block.replace(b"\r\n", b"") + head.target + head.method


@pytest.mark.parametrize(
    ("head", "method", "length"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"GET", 5),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"HEAD", 0),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"GET", CHUNKED),
        (b"HTTP/1.1 200\r\n\r\n", b"GET", UNTIL_CLOSE),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"GET", 0),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"GET", 0),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", b"GET", 0),
    ],
)
def test_frames_an_answer(head: bytes, method: bytes, length: int) -> None:
    scanned = SCANNER.response(head, method)
    assert scanned is not None
    assert scanned.length == length


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded\r\n\r\n",
    ],
)
def test_a_backend_is_judged_as_strictly(head: bytes) -> None:
    with pytest.raises(Malformed):
        SCANNER.response(head, b"GET")


def test_an_answer_keeps_its_lines_but_for_those_of_one_hop() -> None:
    head = SCANNER.response(
        b"HTTP/1.1 200 Very  OK\r\nSet-Cookie: a=1\r\nConnection: x-hop\r\nX-Hop: 1\r\nset-cookie: b=2\r\n"
        b"Keep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n",
        b"GET",
    )
    assert head is not None
    assert head.status_line == b"HTTP/1.1 200 Very  OK"
    assert lines_of(head) == [b"Set-Cookie: a=1", b"set-cookie: b=2", b"Content-Length: 0"]
    assert head.keep_alive
