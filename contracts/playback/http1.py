# SPDX-License-Identifier: AGPL-3.0-or-later
"""Requests as they come over a connection: HTTP/1.0 and 1.1, pipelined, with bodies of both framings.

Strict where it matters for a backend behind an edge: two framings at once, malformed lengths and malformed
chunks are refused, so that a playback can witness that an edge never forwards them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_HEAD = 80 * 1024
"""Puma's own limit for a request's head, in bytes."""

MAX_BODY = 64 * 1024 * 1024
"""The largest request body that is taken in, in bytes."""

_HEX = re.compile(rb"[0-9a-fA-F]{1,8}")
_SINGLE = frozenset(("content-length", "transfer-encoding", "host"))


class BadRequestError(Exception):
    """A request that is refused; the connection cannot be used any more."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(slots=True)
class Asked:
    """One request as it arrived. `headers` maps lower-case names to values; repeated ones are joined."""

    method: str
    target: str
    version: str
    headers: dict[str, str]
    head: bytes
    body: bytes = b""

    @property
    def closes(self) -> bool:
        """Whether the connection ends after the answer."""
        return self.version == "HTTP/1.0" or "close" in self.headers.get("connection", "").lower()


class RequestReader:
    """Turns bytes into requests, one connection's worth."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._asked: Asked | None = None
        self._missing = 0
        self._chunks: bytearray | None = None
        self._in_trailer = False
        self._promised = False

    @property
    def in_request(self) -> bool:
        """Whether a request has begun and is not complete."""
        return self._asked is not None or bool(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take in what arrived."""
        self._buffer += data

    def wants_continue(self) -> bool:
        """Whether the client waits for `100 Continue`; true once for a request."""
        asked = self._asked
        if asked is None or self._promised or asked.headers.get("expect", "").lower() != "100-continue":
            return False
        self._promised = True
        return True

    def next(self) -> Asked | None:
        """The next complete request, or None until more arrives. Raises `BadRequestError`."""
        if self._asked is None and not self._begin():
            return None
        asked = self._asked
        assert asked is not None  # noqa: S101  (set by `_begin`)
        if self._chunks is not None:
            if not self._take_chunks(self._chunks):
                return None
            asked.body = bytes(self._chunks)
        elif self._missing:
            if len(self._buffer) < self._missing:
                return None
            asked.body = bytes(self._buffer[: self._missing])
            del self._buffer[: self._missing]
        self._asked = self._chunks = None
        self._missing = 0
        return asked

    def _begin(self) -> bool:
        while self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or end > MAX_HEAD:
            if len(self._buffer) > MAX_HEAD:
                raise BadRequestError(431, "request head too large")
            return False
        head = bytes(self._buffer[: end + 4])
        del self._buffer[: end + 4]
        self._asked = asked = parse_head(head)
        self._promised = self._in_trailer = False
        self._frame(asked)
        return True

    def _frame(self, asked: Asked) -> None:
        length = asked.headers.get("content-length")
        coding = asked.headers.get("transfer-encoding")
        if coding is not None:
            if length is not None or coding.lower() != "chunked" or asked.version == "HTTP/1.0":
                raise BadRequestError(400, "ambiguous framing")
            self._chunks = bytearray()
        elif length is not None:
            if not (length.isascii() and length.isdigit()):
                raise BadRequestError(400, "malformed content-length")
            self._missing = int(length)
            if self._missing > MAX_BODY:
                raise BadRequestError(413, "request body too large")

    def _take_chunks(self, body: bytearray) -> bool:
        buffer = self._buffer
        while not self._in_trailer:
            if self._missing:
                if len(buffer) < self._missing:
                    return False
                if buffer[self._missing - 2 : self._missing] != b"\r\n":
                    raise BadRequestError(400, "malformed chunk")
                body += buffer[: self._missing - 2]
                del buffer[: self._missing]
                self._missing = 0
            end = buffer.find(b"\r\n")
            if end < 0:
                return False
            size = _chunk_size(bytes(buffer[:end]))
            del buffer[: end + 2]
            if size + len(body) > MAX_BODY:
                raise BadRequestError(413, "request body too large")
            self._in_trailer = size == 0
            self._missing = size + 2 if size else 0
        return self._skip_trailer()

    def _skip_trailer(self) -> bool:
        while (end := self._buffer.find(b"\r\n")) >= 0:
            del self._buffer[: end + 2]
            if end == 0:
                return True
        return False


def parse_head(head: bytes) -> Asked:
    """A request's head, up to and with its empty line. Raises `BadRequestError`."""
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not all(parts) or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequestError(400, "malformed request line")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name[0] in " \t" or name[-1] in " \t":
            raise BadRequestError(400, "malformed header")
        name = name.lower()
        value = value.strip(" \t")
        if name in headers:
            if name in _SINGLE:
                raise BadRequestError(400, f"repeated {name}")
            value = f"{headers[name]}, {value}" if name != "cookie" else f"{headers[name]}; {value}"
        headers[name] = value
    return Asked(parts[0], parts[1], parts[2], headers, head)


def _chunk_size(line: bytes) -> int:
    digits = line.split(b";", 1)[0].rstrip(b" \t")
    if not _HEX.fullmatch(digits):
        raise BadRequestError(400, "malformed chunk size")
    return int(digits, 16)
