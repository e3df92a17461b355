# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is sent: pipelines of valid requests, and their mutations. Pure: chance comes in as a Random."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

Kind = Literal["valid", "asked", "answered"]

_MOST_REQUESTS: Final = 5
_MOST_MUTATIONS: Final = 4
_PATHS: Final = ("/new/a", "/new/b/c/", "//new//x", "/new/%2F;y", "/new/../z", "/new/ünï", "/new/a%20b")
_BROKEN_PATHS: Final = ("/old/a", "/old/b/c/", "//old//x", "/%2F;y", "/")
_READS: Final = ("GET", "GET", "GET", "HEAD", "OPTIONS", "DELETE")
_WRITES: Final = ("POST", "POST", "PUT", "PATCH")
_LINES: Final = (
    b"Accept: */*",
    b"Accept-Encoding: gzip, br",
    b"Cookie: _loomio=bm90aGluZw%3D%3D--YWJj--ZGVm; a=b",
    b"Cookie: banyan_bucket=0123456789abcdef0123456789abcdef",
    b"X-Forwarded-For: 1.2.3.4, 5.6.7.8",
    b"X-Request-Id: mine-1",
    b"Connection: keep-alive",
    b"Connection: X-Nominated",
    b"X-Nominated: 1",
    b"X-Empty:",
    b"X-Latin: caf\xe9",
    b"Expect: 100-continue",
    b"TE: trailers",
    b"Content-Type: application/json",
    b"Referer: http://loomio.test/" + b"r" * 300,
)
_UPGRADE: Final = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
# Bytes and pieces that parsers stumble over.
_ODD_BYTES: Final = b"\r\n\0 \t\x0b\x0c:;,\"'=/?#%+-_0159aAfFgG\x7f\x80\x85\xa0\xff"
_PIECES: Final = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\n\n",
    b" ",
    b"\t",
    b"\r\n ",
    b"0\r\n\r\n",
    b"5\r\nabcde\r\n",
    b"ffffffffffffffff\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Connection: close\r\n",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    b"Host: other\r\n",
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"GET /new/spliced HTTP/1.1\r\nHost: a\r\n\r\n",
    b";a=b",
    b"http://b.test",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a pipeline, as it was before any mutation."""

    mark: bytes
    method: bytes
    data: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Case:
    """What one connection sends: `pieces`, with a pause between them, then the end of sending."""

    number: int
    kind: Kind
    requests: tuple[Asked, ...]
    pieces: tuple[bytes, ...]

    @property
    def sent(self) -> bytes:
        """All bytes."""
        return b"".join(self.pieces)


def make_case(seed: int, number: int) -> Case:
    """The case with this number: always the same for one seed."""
    chance = Random(f"{seed}/{number}")
    drawn = chance.random()
    kind: Kind = "valid" if drawn < 0.1 else "asked" if drawn < 0.75 else "answered"
    count = chance.randint(1, _MOST_REQUESTS)
    requests = tuple(_request(chance, number, index, kind, last=index == count - 1) for index in range(count))
    data = b"".join(request.data for request in requests)
    if kind == "asked":
        for _ in range(chance.randint(1, _MOST_MUTATIONS)):
            data = mutate(chance, data)
    return Case(number, kind, requests, _cut(chance, data))


def mark_of(number: int, index: int) -> bytes:
    """The mark of a case's request."""
    plain = b"%x.%x" % (number, index)
    return b"m%b.%08x" % (plain, zlib.crc32(plain))


def _request(chance: Random, number: int, index: int, kind: Kind, *, last: bool) -> Asked:
    mark = mark_of(number, index)
    writes = chance.random() < 0.4
    method = chance.choice(_WRITES if writes else _READS).encode()
    paths = _BROKEN_PATHS if kind == "answered" else _PATHS
    target = chance.choice(paths).encode() + b"?" + mark
    if chance.random() < 0.05:
        target = b"http://other.test" + target
    lines = [b"Host: loomio.test", b"X-Mark: " + mark, *chance.sample(_LINES, chance.randint(0, 4))]
    body = b""
    wire = b""
    if writes:
        body = chance.randbytes(chance.choice((0, 1, 7, 100, 3000)))
        if chance.random() < 0.5:
            lines.append(b"Content-Length: %d" % len(body))
            wire = body
        else:
            lines.append(b"Transfer-Encoding: chunked")
            wire = _chunks(chance, body)
    elif last and method == b"GET" and chance.random() < 0.1:
        lines += _UPGRADE
    chance.shuffle(lines)
    return Asked(
        mark,
        method,
        method + b" " + target + b" HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + wire,
        body,
    )


def _chunks(chance: Random, body: bytes) -> bytes:
    out = []
    at = 0
    while at < len(body):
        size = chance.randint(1, max(1, len(body) // 2))
        piece = body[at : at + size]
        extension = chance.choice((b"", b"", b";a", b';a="b c"'))
        out.append(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece))
        at += size
    out.append(b"0\r\n" + chance.choice((b"", b"", b"X-Sum: 1\r\n")) + b"\r\n")
    return b"".join(out)


def mutate(chance: Random, data: bytes) -> bytes:
    """`data` with one thing wrong, somewhere."""
    if not data:
        return chance.choice(_PIECES)
    at = chance.randrange(len(data))
    end = min(len(data), at + chance.choice((1, 1, 2, 4, 16, 200)))
    match chance.randrange(8):
        case 0:
            return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
        case 1:
            return data[:at] + bytes([chance.choice(_ODD_BYTES)]) + data[at + 1 :]
        case 2:
            return data[:at] + bytes([chance.choice(_ODD_BYTES)]) + data[at:]
        case 3:
            return data[:at] + data[end:]
        case 4:
            return data[:end] + data[at:]
        case 5:
            return data[:at] + chance.choice(_PIECES) + data[at:]
        case 6:  # at the start of a line, where it hurts most
            start = data.rfind(b"\r\n", 0, at)
            start = 0 if start < 0 else start + 2
            return data[:start] + chance.choice(_PIECES) + data[start:]
        case _:
            return data[:at] if chance.random() < 0.3 else data[:at] + data[at:].swapcase()


def _cut(chance: Random, data: bytes) -> tuple[bytes, ...]:
    """Mostly in one piece; sometimes in a few, anywhere."""
    if chance.random() < 0.8 or len(data) < 2:
        return (data,)
    cuts = sorted(chance.sample(range(1, len(data)), min(chance.randint(1, 4), len(data) - 1)))
    return tuple(data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True))


def requests_in(cases: Sequence[Case]) -> int:
    """How many requests they hold."""
    return sum(len(case.requests) for case in cases)
