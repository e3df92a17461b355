# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where a body ends. Bytes are passed on as they came; only chunk sizes are walked.

A reader's `feed(data)` answers `(payload, rest)`: the payload in `data`, and what follows the body's end
(`None` while the body goes on). A body that breaks HTTP's rules raises Malformed.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from proxy.model import Malformed

_SIZE_LINE_BYTES: Final = 256
_TRAILER_BYTES: Final = 8_192
_TOKEN_CHARS: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_SIZE_LINE: Final = re.compile(
    rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[ \t]*"
    + _TOKEN_CHARS
    + rb"(?:[ \t]*=[ \t]*(?:"
    + _TOKEN_CHARS
    + rb'|"[^"\\\x00-\x08\x0a-\x1f\x7f]*"))?)*\Z'
)
_TRAILER_LINE: Final = re.compile(_TOKEN_CHARS + rb":[^\x00-\x08\x0a-\x1f\x7f]*\Z")

END_OF_CHUNKS: Final = b"0\r\n\r\n"


class BodyReader(Protocol):
    """Finds the end of one body."""

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Take what came: (payload, what follows the body or None while it goes on)."""
        ...


class LengthReader:
    """A body of a known number of bytes."""

    __slots__ = ("remaining",)

    def __init__(self, length: int) -> None:
        self.remaining = length

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """See BodyReader."""
        size = len(data)
        if size < self.remaining:
            self.remaining -= size
            return data, None
        cut = self.remaining
        self.remaining = 0
        return (data, b"") if cut == size else (data[:cut], data[cut:])


class CloseReader:
    """A body that lasts until its connection closes."""

    __slots__ = ()

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """See BodyReader."""
        return data, None


class ChunkedReader:
    """A chunked body. Chunk extensions are dropped; trailers are checked and dropped (docs/http.md says why)."""

    __slots__ = ("_held", "_left", "_trailer_bytes")

    def __init__(self) -> None:
        self._held = b""  # the start of a line whose end has not come
        self._left = _SIZE_LINE_NEXT
        self._trailer_bytes = 0

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """See BodyReader."""
        if self._held:
            data = self._held + data
            self._held = b""
        at = 0
        size = len(data)
        pieces: list[bytes] = []
        while at < size:
            if self._left > 0:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left == 0:
                    self._left = _LINE_BREAK_NEXT
                continue
            if self._left == _LINE_BREAK_NEXT:
                if size - at < 2:
                    self._hold(data[at:], b"\r")
                    break
                if data[at : at + 2] != b"\r\n":
                    raise Malformed("chunk-end", "a chunk is not followed by CRLF")
                at += 2
                self._left = _SIZE_LINE_NEXT
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                self._hold_line(data[at:])
                break
            line = data[at:end]
            at = end + 2
            if self._left == _SIZE_LINE_NEXT:
                self._left = _chunk_size(line) or _TRAILER_NEXT
            elif line:
                self._trailer(line)
            else:
                return b"".join(pieces), data[at:]
        return (pieces[0] if len(pieces) == 1 else b"".join(pieces)), None

    def _hold(self, start: bytes, expected: bytes) -> None:
        if start != expected:
            raise Malformed("chunk-end", "a chunk is not followed by CRLF")
        self._held = start

    def _hold_line(self, start: bytes) -> None:
        limit = _SIZE_LINE_BYTES if self._left == _SIZE_LINE_NEXT else _TRAILER_BYTES
        if len(start) > limit:
            raise Malformed("chunk-line", "a chunk size or trailer line is too long")
        if b"\n" in start or b"\r" in start[:-1]:
            raise Malformed("chunk-line", "a chunk size or trailer line has a bare CR or LF")
        self._held = start

    def _trailer(self, line: bytes) -> None:
        self._trailer_bytes += len(line) + 2
        if self._trailer_bytes > _TRAILER_BYTES:
            raise Malformed("trailers", f"the trailers are larger than {_TRAILER_BYTES} bytes")
        if not _TRAILER_LINE.match(line):
            raise Malformed("trailers", "a trailer is malformed")


# What a ChunkedReader waits for, where it is not in the middle of a chunk (a positive number of bytes).
_SIZE_LINE_NEXT: Final = 0
_LINE_BREAK_NEXT: Final = -1
_TRAILER_NEXT: Final = -2


def _chunk_size(line: bytes) -> int:
    match = _SIZE_LINE.match(line) if len(line) <= _SIZE_LINE_BYTES else None
    if match is None:
        raise Malformed("chunk-size", "a chunk size line is malformed")
    return int(match[1], 16)


def chunk(payload: bytes) -> bytes:
    """`payload` (not empty) as one chunk."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)
