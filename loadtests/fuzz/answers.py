# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the origin answers, whole or broken, and how a careful reader reads it. Pure."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from random import Random
from typing import Final

from loadtests.fuzz.cases import mutate

ECHO: Final = b"x-echo"
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^\r\n]*)?\Z")
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_NUMBER: Final = re.compile(rb"[0-9]{1,18}\Z")
_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,15}\Z")
_LENGTHS: Final = (0, 1, 20, 700, 5000, 40_000)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as read. `whole` is false where it was cut off; `bad` says what breaks HTTP's rules."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes
    whole: bool
    bad: str = ""


def plain_answer(target: bytes, mark: bytes, method: bytes, body: bytes) -> bytes:
    """The origin's answer to a request: it echoes what identifies it, in header and body, and tells what came."""
    echo = b"%b %b %b" % (target.hex().encode(), mark.hex().encode(), method)
    told = b"%b %08x %d\n" % (echo, zlib.crc32(body), len(body))
    filler = told * (1 + _LENGTHS[zlib.crc32(target) % len(_LENGTHS)] // len(told))
    content = filler + b"%08x" % zlib.crc32(filler)
    head = b"X-Echo: " + echo + b"\r\nContent-Type: text/plain\r\n"
    framing = zlib.crc32(mark) % 3
    if framing == 0:
        out = b"HTTP/1.1 200 OK\r\n" + head + b"Content-Length: %d\r\n\r\n" % len(content)
        return out if method == b"HEAD" else out + content
    out = b"HTTP/1.1 200 OK\r\n" + head + b"Transfer-Encoding: chunked\r\n\r\n"
    if method == b"HEAD":
        return out
    half = len(content) // framing
    for piece in (content[:half], content[half:]):
        if piece:
            out += b"%X\r\n%b\r\n" % (len(piece), piece)
    return out + b"0\r\n\r\n"


def broken_answer(chance: Random, answer: bytes) -> bytes:
    """`answer` with one to three things wrong."""
    head, blank, body = answer.partition(b"\r\n\r\n")
    for _ in range(chance.randint(1, 3)):
        where = chance.random()
        if where < 0.5:  # heads are short: let them have their share
            head = mutate(chance, head)
        elif where < 0.6:
            return (head + blank + body)[: chance.randrange(len(answer) + 1)]
        elif where < 0.7:
            body += answer
        else:
            body = mutate(chance, body)
    return head + blank + body


def is_sound(body: bytes) -> bool:
    """Whether a body of `plain_answer` is whole and unharmed."""
    return len(body) >= 8 and body[-8:] == b"%08x" % zlib.crc32(body[:-8])


def read_answer(data: bytes, method: bytes, *, ended_well: bool) -> tuple[Answer | None, bytes]:
    """The final answer at the start of `data`, and what follows; interim ones are passed over.

    `data` is all there is: the connection ended behind it, by a reset unless `ended_well`. None: nothing came.
    """
    while True:
        head, blank, rest = data.partition(b"\r\n\r\n")
        if not blank:
            return (Answer(0, {}, data, whole=False, bad="") if data else None), b""
        answer = _read_head(head)
        if answer.bad or not 100 <= answer.status < 200 or answer.status == 101:
            break
        data = rest
    if answer.bad:
        return answer, b""
    return _read_body(answer, rest, method, ended_well=ended_well)


def _read_head(head: bytes) -> Answer:
    start, *lines = head.split(b"\r\n")
    status = _STATUS_LINE.match(start)
    if status is None:
        return Answer(0, {}, b"", whole=False, bad="status line")
    headers: dict[bytes, bytes] = {b":minor": status[1]}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.match(name) or any(byte in line for byte in b"\r\n\0"):
            return Answer(0, {}, b"", whole=False, bad="header line")
        lower = name.lower()
        if lower in headers and lower in (b"content-length", b"transfer-encoding"):
            return Answer(0, {}, b"", whole=False, bad=f"two {lower.decode()}")
        headers.setdefault(lower, value.strip(b" \t"))
    return Answer(int(status[2]), headers, b"", whole=True)


def _read_body(answer: Answer, data: bytes, method: bytes, *, ended_well: bool) -> tuple[Answer, bytes]:
    status, headers = answer.status, answer.headers
    length = headers.get(b"content-length")
    encoding = headers.get(b"transfer-encoding")
    if length is not None and (encoding is not None or not _NUMBER.match(length)):
        return Answer(status, headers, b"", whole=False, bad="content-length"), b""
    if encoding is not None and (encoding.lower() != b"chunked" or headers[b":minor"] == b"0"):
        return Answer(status, headers, b"", whole=False, bad="transfer-encoding"), b""
    if method == b"HEAD" or status in (101, 204, 304):
        return answer, data
    if encoding is not None:
        return _read_chunks(answer, data)
    if length is not None:
        size = int(length)
        return Answer(status, headers, data[:size], whole=len(data) >= size), data[size:]
    return Answer(status, headers, data, whole=ended_well), b""


def _read_chunks(answer: Answer, data: bytes) -> tuple[Answer, bytes]:
    pieces: list[bytes] = []

    def result(*, whole: bool, bad: str = "") -> Answer:
        return Answer(answer.status, answer.headers, b"".join(pieces), whole=whole, bad=bad)

    while True:
        line, found, rest = data.partition(b"\r\n")
        if not found:
            return result(whole=False), b""
        digits = line.partition(b";")[0].rstrip(b" \t")
        if not _SIZE.match(digits):
            return result(whole=False, bad="chunk size"), b""
        size = int(digits, 16)
        if size == 0:
            break
        pieces.append(rest[:size])
        if len(rest) < size + 2:
            return result(whole=False), b""
        if rest[size : size + 2] != b"\r\n":
            return result(whole=False, bad="chunk end"), b""
        data = rest[size + 2 :]
    while True:
        line, found, rest = rest.partition(b"\r\n")
        if not found:
            return result(whole=False), b""
        if not line:
            return result(whole=True), rest
        if b":" not in line:
            return result(whole=False, bad="trailer"), b""
