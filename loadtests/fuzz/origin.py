# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers every request with its own mark, and writes down what it was sent. Stricter than any server: what the edge
sends has to be well-formed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from random import Random
from typing import Final, cast

from loadtests.fuzz.answers import broken_answer, plain_answer, read_answer

_REQUEST_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (/[^\x00-\x20\x7f]*|\*) HTTP/1\.1\Z")
_LINE: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*\Z")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}\Z")
_SIZE: Final = re.compile(rb"[0-9a-f]{1,15}\Z")
_PAUSE: Final = 0.002  # between two parts of an answer: long enough for them to arrive apart, mostly
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Journal:
    """What the origins saw and said, by mark; emptied after each round."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.asked: dict[bytes, int] = {}
        self.said: dict[bytes, bytes] = {}
        self.violations: list[tuple[str, bytes]] = []
        self.requests = 0
        self.connections = 0
        self.break_answers_of: set[bytes] = set()

    def clear(self) -> None:
        """Forget a round."""
        self.asked.clear()
        self.said.clear()
        self.break_answers_of.clear()


class Origin(asyncio.Protocol):
    """One connection of the edge's."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._data = b""
        self._transport = _NOT_CONNECTED
        self._tunnel = False
        self._ending = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the edge connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._journal.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: it left."""
        self._journal.connections -= 1

    def data_received(self, data: bytes) -> None:
        """asyncio: requests."""
        transport = self._transport
        if self._tunnel:
            transport.write(data)
            return
        self._data += data
        while self._data and not transport.is_closing() and self._take(transport):
            pass

    def _take(self, transport: asyncio.Transport) -> bool:
        """Answer the first request in hand; False: it is not complete."""
        head, blank, rest = self._data.partition(b"\r\n\r\n")
        if not blank or self._tunnel or self._ending:
            return False
        start, *lines = head.split(b"\r\n")
        request = _REQUEST_LINE.match(start)
        fields: dict[bytes, bytes] = {}
        problem = "" if request else "request line"
        for line in lines:
            if not _LINE.match(line):
                problem = "header line"
            name, _, value = line.partition(b":")
            lower = name.lower()
            if lower in fields and lower in (b"host", b"content-length", b"transfer-encoding"):
                problem = f"two {lower.decode('latin-1')}"
            fields.setdefault(lower, value.strip(b" \t"))
        problem = problem or _framing_problem(fields)
        if problem or request is None:
            return self._violation(transport, problem)
        body, after, problem = _body(fields, rest)
        if problem:
            return self._violation(transport, problem)
        if after is None:
            return False
        self._data = after
        self._answer(transport, request[1], request[2], fields, body)
        return True

    def _violation(self, transport: asyncio.Transport, problem: str) -> bool:
        self._journal.violations.append((problem, self._data[:4000]))
        transport.abort()
        return False

    def _answer(
        self,
        transport: asyncio.Transport,
        method: bytes,
        target: bytes,
        fields: dict[bytes, bytes],
        body: bytes,
    ) -> None:
        journal = self._journal
        mark = fields.get(b"x-mark", b"")
        journal.requests += 1
        journal.asked[mark] = journal.asked.get(mark, 0) + 1
        key = fields.get(b"sec-websocket-key")
        if (
            fields.get(b"upgrade") == b"websocket"
            and key is not None
            and mark not in journal.break_answers_of
        ):
            accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
            transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + self._data
            )
            self._tunnel = True
            return
        answer = plain_answer(target, mark, method, body)
        if mark in journal.break_answers_of:
            chance = Random(f"{journal.seed}/{mark.decode('latin-1')}")
            answer = broken_answer(chance, answer)
            journal.said[mark] = answer
            self._end_with(transport, answer, _cut(chance, answer, method))
            return
        if fields.get(b"expect", b"").lower() == b"100-continue":
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        transport.write(answer)

    def _end_with(self, transport: asyncio.Transport, answer: bytes, cut: int) -> None:
        """Send `answer`, from `cut` on a moment later, and close."""
        self._ending = True
        transport.write(answer[:cut])

        def rest() -> None:
            if not transport.is_closing():
                transport.write(answer[cut:])
                transport.close()

        if cut:
            asyncio.get_running_loop().call_later(_PAUSE, rest)
        else:
            rest()


def _cut(chance: Random, answer: bytes, method: bytes) -> int:
    """Where to pause within an answer; 0: nowhere.

    Never behind what is a whole answer already: the rest would come upon a connection that carries the next request,
    and nobody could tell that it is not its answer. That is HTTP/1.1's fault and not the edge's.
    """
    cut = chance.randrange(len(answer) + 1) if chance.random() < 0.5 else 0
    first, _ = read_answer(answer[:cut], method, ended_well=False)
    return 0 if first is not None and first.whole else cut


def _framing_problem(fields: dict[bytes, bytes]) -> str:
    if b"host" not in fields:
        return "no host"
    if b"transfer-encoding" in fields:
        if b"content-length" in fields:
            return "length and chunked"
        if fields[b"transfer-encoding"] != b"chunked":
            return "transfer-encoding"
    if b"content-length" in fields and not _LENGTH.match(fields[b"content-length"]):
        return "content-length"
    return ""


def _body(fields: dict[bytes, bytes], data: bytes) -> tuple[bytes, bytes | None, str]:
    """(body, what follows or None while it is not complete, what is wrong with it)."""
    if b"transfer-encoding" not in fields:
        size = int(fields.get(b"content-length", b"0"))
        return (data[:size], data[size:], "") if len(data) >= size else (b"", None, "")
    pieces: list[bytes] = []
    while True:
        line, found, rest = data.partition(b"\r\n")
        if not found:
            return b"", None, "" if len(data) < 20 else "chunk size"
        if not _SIZE.match(line):
            return b"", None, "chunk size"
        size = int(line, 16)
        if len(rest) < size + 2:
            return b"", None, ""
        if rest[size : size + 2] != b"\r\n":
            return b"", None, "chunk end"
        if size == 0:
            return b"".join(pieces), rest[2:], ""
        pieces.append(rest[:size])
        data = rest[size + 2 :]


_NOT_CONNECTED: Final = asyncio.Transport()
