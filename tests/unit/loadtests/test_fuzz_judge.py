# SPDX-License-Identifier: AGPL-3.0-or-later
"""The fuzzer's judge sees what an edge must not do; its cases come again from their seed."""

from __future__ import annotations

from random import Random

import pytest

from loadtests.fuzz.answers import broken_answer, is_sound, plain_answer, read_answer
from loadtests.fuzz.cases import Asked, Case, make_case, mark_of
from loadtests.fuzz.judge import Received, judge
from loadtests.fuzz.origin import Journal

MARK = mark_of(5, 0)
OTHER = mark_of(6, 0)
OWN = (
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n{}"
)


def get(mark: bytes, method: bytes = b"GET") -> Asked:
    data = method + b" /new/a?" + mark + b" HTTP/1.1\r\nHost: a\r\nX-Mark: " + mark + b"\r\n\r\n"
    return Asked(mark, method, data, b"")


def said(mark: bytes, method: bytes = b"GET") -> bytes:
    return plain_answer(b"/new/a?" + mark, mark, method, b"")


def verdict(
    kind: str, received: bytes, *, end: str = "closed", broken: bytes | None = None, times: int = 1
) -> str:
    method = b"POST" if kind == "post" else b"GET"
    asked = get(MARK, method)
    journal = Journal(1)
    journal.asked[MARK] = times
    if broken is not None:
        journal.said[MARK] = broken
    case = Case(5, {"asked": "asked", "answered": "answered"}.get(kind, "valid"), (asked,), (asked.data,))  # type: ignore[arg-type]  # one of the kinds
    failure = judge(case, Received(received, end), journal)
    return "" if failure is None else failure.kind


@pytest.mark.parametrize(
    ("kind", "received", "end", "expected"),
    [
        ("valid", said(MARK), "closed", ""),
        ("valid", said(OTHER), "closed", "lost-answer"),
        ("valid", said(MARK)[:-3], "reset", "lost-answer"),
        ("valid", b"", "closed", "lost-answer"),
        ("valid", OWN, "closed", "lost-answer"),
        ("valid", said(MARK) + said(MARK), "closed", "unasked"),
        ("valid", said(MARK).replace(b"\r\n", b"\n"), "closed", "lost-answer"),
        ("valid", b"", "hang", "hang"),
        ("asked", said(MARK), "closed", ""),
        ("asked", OWN, "closed", ""),
        ("asked", OWN + b"x", "closed", "unasked"),
        ("asked", said(OTHER), "closed", "swapped"),
        ("asked", said(MARK) + said(MARK), "closed", "swapped"),
        ("asked", said(MARK).replace(b"0\n", b"1\n", 1), "closed", "false-answer"),
        ("asked", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "closed", "unknown-answer"),
        ("asked", b"HTTP/1.1 200\nX\r\n\r\n", "closed", "malformed-answer"),
        ("asked", b"", "closed", ""),
    ],
)
def test_what_a_client_gets_is_judged(kind: str, received: bytes, end: str, expected: str) -> None:
    assert verdict(kind, received, end=end) == expected


WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
PART = WHOLE[:-1]


@pytest.mark.parametrize(
    ("broken", "received", "end", "expected"),
    [
        (WHOLE, WHOLE, "closed", ""),
        (WHOLE, OWN, "closed", ""),
        (WHOLE, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabd", "closed", "other-answer"),
        (WHOLE, b"HTTP/1.1 201 OK\r\nContent-Length: 3\r\n\r\nabc", "closed", "other-answer"),
        (PART, WHOLE, "closed", "false-answer"),
        (
            PART,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            "closed",
            "false-answer",
        ),
        (PART, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "reset", ""),
        (PART, OWN, "closed", ""),
        (b"garbage\r\n\r\n", WHOLE, "closed", "false-answer"),
    ],
)
def test_broken_answers_never_look_whole(broken: bytes, received: bytes, end: str, expected: str) -> None:
    assert verdict("answered", received, end=end, broken=broken) == expected


def test_a_write_reaches_the_origin_once_and_a_read_twice_at_most() -> None:
    assert verdict("post", said(MARK, b"POST"), times=2) == "repeated"
    assert verdict("valid", said(MARK), times=2) == ""
    assert verdict("valid", said(MARK), times=3) == "repeated"


def test_cases_come_again_from_their_seed_and_differ_between_seeds() -> None:
    assert [make_case(9, number) for number in range(50)] == [make_case(9, number) for number in range(50)]
    assert make_case(9, 1).sent != make_case(10, 1).sent
    kinds = [make_case(9, number).kind for number in range(300)]
    assert {kind: kinds.count(kind) > 10 for kind in kinds} == {
        "valid": True,
        "asked": True,
        "answered": True,
    }


def test_plain_answers_are_whole_and_broken_ones_differ() -> None:
    chance = Random(4)
    differ = 0
    for number in range(60):
        mark = mark_of(number, 0)
        plain = plain_answer(b"/x%d" % number, mark, b"GET", b"body")
        read, rest = read_answer(plain, b"GET", ended_well=True)
        assert read is not None
        assert (read.whole, read.bad, rest, is_sound(read.body)) == (True, "", b"", True)
        differ += broken_answer(chance, plain) != plain
    assert differ > 50  # some mutations change nothing


@pytest.mark.parametrize(
    ("data", "whole", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nabc", True, b"abc"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", True, b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", False, b"abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", False, b"abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", False, b""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", False, b""),
        (b"HTTP/1.1 700 OK\r\n\r\n", False, b""),
        (b"HTTP/1.1 200", False, b"HTTP/1.1 200"),
    ],
)
def test_answers_are_read_carefully(data: bytes, whole: bool, body: bytes) -> None:
    read, _ = read_answer(data, b"GET", ended_well=True)
    assert read is not None
    assert (read.whole, read.body) == (whole, body)
