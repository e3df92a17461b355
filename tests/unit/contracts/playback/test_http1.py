# SPDX-License-Identifier: AGPL-3.0-or-later
"""Requests as they come over a connection."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.playback.http1 import MAX_BODY, MAX_HEAD, BadRequestError, RequestReader

TWO = (
    b"POST /a?b=%20 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n"
    b"\r\nPUT /b HTTP/1.0\r\nCONTENT-LENGTH: 2\r\nCookie: a=1\r\ncookie: b=2\r\nX: 1\r\nX: 2\r\n\r\nhi"
)


@given(st.lists(st.integers(0, len(TWO)), max_size=6))
def test_requests_are_the_same_however_the_bytes_arrive(cuts: list[int]) -> None:
    reader = RequestReader()
    found = []
    edges = [0, *sorted(cuts), len(TWO)]
    for start, end in pairwise(edges):
        reader.feed(TWO[start:end])
        while (asked := reader.next()) is not None:
            found.append(asked)
    first, second = found
    assert (first.method, first.target, first.version, first.body) == (
        "POST",
        "/a?b=%20",
        "HTTP/1.1",
        b"abcde",
    )
    assert (second.method, second.target, second.version, second.body) == ("PUT", "/b", "HTTP/1.0", b"hi")
    assert second.headers == {"content-length": "2", "cookie": "a=1; b=2", "x": "1, 2"}
    assert first.head == TWO[: len(first.head)]
    assert first.head.endswith(b"chunked\r\n\r\n")
    assert (first.closes, second.closes) == (False, True)
    assert not reader.in_request


def one(data: bytes) -> None:
    reader = RequestReader()
    reader.feed(data)
    reader.next()


@pytest.mark.parametrize(
    ("request_line", "headers", "status"),
    [
        ("GET /", "", 400),
        ("GET  / HTTP/1.1", "", 400),
        ("GET / HTTP/2.0", "", 400),
        ("GET / HTTP/1.1 ", "", 400),
        ("GET / HTTP/1.1", "no colon\r\n", 400),
        ("GET / HTTP/1.1", ": no name\r\n", 400),
        ("GET / HTTP/1.1", "a: 1\r\n folded\r\n", 400),
        ("GET / HTTP/1.1", "a : 1\r\n", 400),
        ("GET / HTTP/1.1", "host: a\r\nhost: b\r\n", 400),
        ("POST / HTTP/1.1", "content-length: 1\r\ncontent-length: 1\r\n", 400),
        ("POST / HTTP/1.1", "content-length: +1\r\n", 400),
        ("POST / HTTP/1.1", "content-length: 1_0\r\n", 400),
        ("POST / HTTP/1.1", f"content-length: {MAX_BODY + 1}\r\n", 413),
        ("POST / HTTP/1.1", "content-length: 1\r\ntransfer-encoding: chunked\r\n", 400),
        ("POST / HTTP/1.1", "transfer-encoding: gzip, chunked\r\n", 400),
        ("POST / HTTP/1.0", "transfer-encoding: chunked\r\n", 400),
        ("GET / HTTP/1.1", "a: " + "x" * MAX_HEAD + "\r\n", 431),
    ],
)
def test_malformed_heads_are_refused(request_line: str, headers: str, status: int) -> None:
    with pytest.raises(BadRequestError) as caught:
        one(f"{request_line}\r\n{headers}\r\n".encode())
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x\r\n", 400),
        (b"\r\n", 400),
        (b"-1\r\n", 400),
        (b"0x1\r\na\r\n", 400),
        (b"1\r\nab\r\n", 400),
        (b"123456789\r\n", 400),
        (b"fffffff\r\n", 413),
    ],
)
def test_malformed_chunks_are_refused(body: bytes, status: int) -> None:
    with pytest.raises(BadRequestError) as caught:
        one(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n" + body)
    assert caught.value.status == status


def test_a_head_without_end_is_not_waited_for_for_ever() -> None:
    with pytest.raises(BadRequestError):
        one(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * MAX_HEAD)


def test_a_client_that_waits_for_leave_is_told_once() -> None:
    reader = RequestReader()
    assert not reader.wants_continue()
    reader.feed(b"POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n")
    assert reader.next() is None
    assert reader.wants_continue()
    assert not reader.wants_continue()
    reader.feed(b"x")
    asked = reader.next()
    assert asked is not None
    assert asked.body == b"x"
