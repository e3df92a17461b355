# SPDX-License-Identifier: AGPL-3.0-or-later
"""The two scanners say the same of any bytes: the same head, or the same refusal."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.corpus import Corpus
from proxy.dataplane import scan
from proxy.dataplane.heads import RequestHead, ResponseHead
from proxy.dataplane.scanner import AnyScanner, is_compiled, make_scanner
from proxy.model import HeadLimits, Malformed

LIMITS = HeadLimits(head_bytes=2048, target_bytes=200, header_count=12)
NOTED = frozenset({b"x-noted", b"content-type", b"cache-control", b"x-http-method-override"})
PYTHON = scan.Scanner(LIMITS, NOTED)
CHOSEN = make_scanner(LIMITS, NOTED)

# Not all that a head keeps is a promise: the lines' own order of notes is, internals are not.
REQUEST = sorted(set(RequestHead.__slots__) - {"connection", "encoding"})
RESPONSE = sorted(set(ResponseHead.__slots__) - {"connection", "encoding"})


def said(scanner: AnyScanner, data: bytes, method: bytes | None) -> Any:
    """What a scanner says: the head as a dictionary, None, or the refusal's code."""
    try:
        head: Any = scanner.request(data) if method is None else scanner.response(data, method)
    except Malformed as refused:
        return refused.code, refused.status
    names = REQUEST if method is None else RESPONSE
    return None if head is None else {name: getattr(head, name) for name in names}


def assert_same(data: bytes) -> None:
    for method in (None, b"GET", b"HEAD"):
        assert said(CHOSEN, data, method) == said(PYTHON, data, method)


NAMES = [
    *(
        "Host",
        "hOST",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Keep-Alive",
        "Cookie",
        "Upgrade",
        "TE",
    ),
    *(
        "X-Forwarded-For",
        "X-Forwarded-",
        "x_forwarded_for",
        "Forwarded",
        "X-Request-Id",
        "X-Real-IP",
        "Client-IP",
    ),
    *(
        "X-Banyan-Shadow",
        "Proxy-Authorization",
        "Proxy-Other",
        "Proxy-Authenticate",
        "Trailer",
        "HTTP2-Settings",
    ),
    *(
        "X-Noted",
        "content-type",
        "Cache-Control",
        "X-HTTP-Method-Override",
        "Accept",
        "X",
        "Expect",
        "Content_Length",
    ),
    *("X-Long-" + "n" * 60, "bad name", "", "b:d", "\x00", "é", "X-Client-IP", "Sec-WebSocket-Key"),
]
VALUES = [
    *(
        "",
        " ",
        "a.test",
        "a.test:80",
        "a:b:1",
        "[::1]:8",
        "a_b",
        "a b",
        "close",
        "Keep-Alive",
        "keep-alive, x-noted",
    ),
    *(
        "upgrade",
        "websocket",
        "chunked",
        "Chunked",
        "gzip, chunked",
        "0",
        "5",
        "+5",
        "05",
        "9" * 18,
        "9" * 19,
        "5,5",
    ),
    *("100-continue", "x\ty", "\x01", "\x7f", "caf\xe9", "v" * 300, "a=b; c=d"),
]
STARTS = [
    *(
        "GET / HTTP/1.1",
        "GET /a?b=c?d HTTP/1.1",
        "POST /%2F//x;y HTTP/1.1",
        "GET / HTTP/1.0",
        "GET /é HTTP/1.1",
    ),
    *(
        "GET http://a.test/x HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET * HTTP/1.1",
        "GET /#x HTTP/1.1",
        "GET  / HTTP/1.1",
    ),
    *("GET /" + "t" * 300 + " HTTP/1.1", "get / HTTP/1.1", "G@T / HTTP/1.1", "GET / HTTP/2.0", "GET /", ""),
    *("HTTP/1.1 200 OK", "HTTP/1.1 304 Not Modified", "HTTP/1.1 204", "HTTP/1.1 101 S", "HTTP/1.1 099 X"),
    *("HTTP/1.0 200 OK", "HTTP/1.1 200 caf\xe9", "HTTP/1.1 200\x01", "HTTP/1.1 2000 x", "HTTP/1.1 500 a  b "),
]
BREAKS = ["\r\n"] * 12 + ["\n", "\r", "\r\n\r\n", "\r\n "]

lines = st.tuples(
    st.one_of(st.sampled_from(NAMES), st.text("aB-_1", max_size=8)),
    st.sampled_from([":", ": ", ":\t", " :", "", ":  "]),
    st.one_of(st.sampled_from(VALUES), st.text(max_size=20)),
    st.sampled_from(["", "", "", " ", "\t "]),
    st.sampled_from(BREAKS),
).map("".join)


@settings(max_examples=600)
@given(
    st.sampled_from(STARTS),
    st.sampled_from(BREAKS),
    st.lists(lines, max_size=14),
    st.sampled_from(["\r\n", "\r\n", "\r\n", "", "\n"]),
    st.binary(max_size=20),
)
@example("GET / HTTP/1.1", "\r\n", ["X-Forwarded-: a\r\n", "Host: a\r\n"], "\r\n", b"")
def test_on_heads_of_all_kinds(start: str, first: str, kept: list[str], end: str, rest: bytes) -> None:
    assert_same((start + first + "".join(kept) + end).encode("latin-1", "replace") + rest)


@given(st.binary(max_size=200))
def test_on_any_bytes(data: bytes) -> None:
    assert_same(data)
    assert_same(data + b"\r\n\r\n")


@settings(max_examples=300)
@given(st.data())
def test_on_mutated_heads(data: st.DataObject) -> None:
    whole = bytearray(
        b"POST /api/v1/x?y=1 HTTP/1.1\r\nHost: a.test\r\nCookie: a=b\r\nContent-Length: 3\r\nX-Noted: v\r\n"
        b"X-Forwarded-For: 1.2.3.4\r\nConnection: keep-alive\r\n\r\nabc"
    )
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    assert_same(bytes(whole))


@pytest.mark.parametrize("size", range(1990, 2060))
def test_at_the_limits(size: int) -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX: "
    assert_same(head + b"v" * (size - len(head)) + b"\r\n\r\n")


def test_on_everything_recorded() -> None:
    roomy = HeadLimits()
    python, chosen = scan.Scanner(roomy, NOTED), make_scanner(roomy, NOTED)
    for exchange in itertools.islice(Corpus.open().wire(), 0, None, 3):
        request = exchange.request.encode("latin-1")
        answer = exchange.response.encode("latin-1")
        method = request.partition(b" ")[0]
        assert said(chosen, request, None) == said(python, request, None)
        assert said(chosen, answer, method) == said(python, answer, method)


def test_which_one_runs_is_known() -> None:
    assert isinstance(CHOSEN, scan.Scanner) is not is_compiled()
