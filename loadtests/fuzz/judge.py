# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether what a client got is right, given what was sent and what the origin said. Pure."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from loadtests.fuzz.answers import ECHO, Answer, is_sound, read_answer
from loadtests.fuzz.cases import Asked, Case
from loadtests.fuzz.origin import Journal

_SAFE: Final = (b"GET", b"HEAD", b"OPTIONS")


@dataclass(frozen=True, slots=True)
class Received:
    """All that came back on a connection. `end`: how it ended."""

    data: bytes
    end: str  # "closed", "reset" or "hang"


@dataclass(frozen=True, slots=True)
class Failure:
    """Something the edge must never do. `kind` is stable."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Found:
    """A case that failed."""

    case: Case
    failure: Failure
    received: Received


def judge(case: Case, received: Received, journal: Journal) -> Failure | None:
    """The first thing wrong with how a case went; None: all is well."""
    if received.end == "hang":
        return Failure("hang", f"the connection was still open; {len(received.data)} bytes had come")
    if case.kind == "asked":
        return _judge_asked(case, received)
    return _judge_in_order(case, received, journal)


def _judge_in_order(case: Case, received: Received, journal: Journal) -> Failure | None:
    """Requests nobody touched: their answers come in order, each the origin's or the edge's own."""
    data = received.data
    for index, asked in enumerate(case.requests):
        if problem := _repeated(asked, journal):
            return problem
        answer, data = read_answer(data, asked.method, ended_well=received.end == "closed")
        if answer is not None and answer.bad:
            return Failure("malformed-answer", f"answer {index}: {answer.bad}")
        if case.kind == "answered" and answer is not None and answer.whole and _is_own(answer):
            break
        said = journal.said.get(asked.mark)
        if said is None:
            cut_off = received.end == "reset" and (answer is None or not answer.whole)
            if cut_off and _breaks_off(case, journal):
                return None
            if answer is None or not _is_the_answer(asked, answer):
                return Failure("lost-answer", f"request {index} of {len(case.requests)}: got {_tell(answer)}")
        elif answer is None or not answer.whole:
            return None  # cut off, and so the last one
        elif problem := _other_than_said(answer, said, asked.method):
            return problem
        if answer.status == 101:
            return None  # a tunnel, and its echo
        if answer.headers.get(b"connection", b"").lower() == b"close":
            break
    return Failure("unasked", f"{len(data)} bytes follow the last answer") if data else None


def _other_than_said(answer: Answer, said: bytes, method: bytes) -> Failure | None:
    meant, _ = read_answer(said, method, ended_well=True)
    if meant is None or meant.bad or not meant.whole:
        return Failure("false-answer", f"it looks whole, but the origin's was {_tell(meant)}")
    if (meant.status, meant.body) != (answer.status, answer.body):
        return Failure("other-answer", f"got {_tell(answer)}, the origin said {_tell(meant)}")
    return None


def _breaks_off(case: Case, journal: Journal) -> bool:
    """Whether some answer to the case was no whole one. The edge resets the connection then, and what the client had
    not read yet, also of earlier answers, is lost with it."""
    for asked in case.requests:
        if (said := journal.said.get(asked.mark)) is not None:
            meant, _ = read_answer(said, asked.method, ended_well=True)
            if meant is None or meant.bad or not meant.whole:
                return True
    return False


def _repeated(asked: Asked, journal: Journal) -> Failure | None:
    times = journal.asked.get(asked.mark, 0)
    if times > (2 if asked.method in _SAFE else 1):
        return Failure("repeated", f"a {asked.method.decode()} reached the origin {times} times")
    return None


def _is_the_answer(asked: Asked, answer: Answer) -> bool:
    if answer.status == 101:
        return b"Sec-WebSocket-Key" in asked.data
    echo = answer.headers.get(ECHO, b"").split(b" ")
    mine = len(echo) == 3 and echo[1] == asked.mark.hex().encode() and echo[2] == asked.method
    if not mine or not answer.whole:
        return False
    return asked.method == b"HEAD" or (is_sound(answer.body) and answer.body.startswith(_told(asked, echo)))


def _told(asked: Asked, echo: list[bytes]) -> bytes:
    return b"%b %08x %d\n" % (b" ".join(echo), zlib.crc32(asked.body), len(asked.body))


def _judge_asked(case: Case, received: Received) -> Failure | None:
    """Whatever the edge made of it: what it answers was asked on this connection, in this order."""
    sent = case.sent
    data = received.data
    at = 0
    while data:
        method = _method(data)
        answer, rest = read_answer(data, method or b"GET", ended_well=received.end == "closed")
        if answer is None:
            return None
        if answer.bad:
            return Failure("malformed-answer", answer.bad)
        if answer.status == 101:
            return None
        echo = answer.headers.get(ECHO)
        if echo is None:
            if answer.status < 400 and answer.whole:
                return Failure("unknown-answer", f"{answer.status} without an echo")
            return None if not rest else Failure("unasked", f"{len(rest)} bytes follow the edge's own answer")
        target, mark = (bytes.fromhex(word.decode()) for word in echo.split(b" ")[:2])
        found = sent.find(target, at)
        if found < 0 and target[1:2] in (b"", b"?"):
            found = sent.find(target[1:], at)  # of an absolute target without a path: the slash is the edge's
        if found < 0 or sent.find(mark, found) < 0:
            return Failure(
                "swapped", f"the answer to {target!r} {mark!r} was not asked for here, or not in this order"
            )
        if answer.whole and method != b"HEAD" and not is_sound(answer.body):
            return Failure("false-answer", f"the answer to {target!r} looks whole and is not")
        at = found + 1
        data = rest
    return None


def _method(data: bytes) -> bytes:
    """The method of the request that the first final answer in `data` belongs to, as the origin tells it."""
    at = data.lower().find(b"x-echo: ")
    end = data.find(b"\r\n", at)
    return data[at:end].rpartition(b" ")[2] if 0 <= at < end else b""


def _is_own(answer: Answer) -> bool:
    headers = answer.headers
    said_so = headers.get(b"cache-control") == b"no-store" and headers.get(b"connection") == b"close"
    return said_so and ECHO not in headers and answer.status >= 400


def _tell(answer: Answer | None) -> str:
    if answer is None:
        return "nothing"
    state = "whole" if answer.whole else "cut off"
    return f"{answer.status} with {len(answer.body)} bytes, {state}{', ' + answer.bad if answer.bad else ''}"
