# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a scanner finds in a head."""

from __future__ import annotations

from typing import Final

CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2


class RequestHead:
    """One request's head.

    `block`: the header lines to forward, raw and in order, each with its CRLF, without those of one hop and what
    speaks of the client's address (`forwarding`: lower-case name → value as sent). `fields`: lower-case name → first
    value of the noted headers and of those that mean something to the edge (cookies joined). `length`: bytes of the
    body, -1 chunked. `size`: bytes of the head including its blank line.
    """

    __slots__ = (
        "block",
        "connection",
        "encoding",
        "fields",
        "forwarding",
        "host",
        "keep_alive",
        "length",
        "method",
        "minor",
        "path",
        "query",
        "size",
        "target",
        "upgrade",
    )

    def __init__(self, method: bytes, target: bytes, minor: int, size: int) -> None:
        self.method = method
        self.target = target
        self.minor = minor
        self.size = size
        self.path, _, self.query = target.partition(b"?")
        self.block = b""
        self.fields: dict[bytes, bytes] = {}
        self.forwarding: dict[bytes, bytes] = {}
        self.host = b""
        self.connection = b""
        self.encoding = b""
        self.length = 0
        self.keep_alive = minor == 1
        self.upgrade = False


class ResponseHead:
    """One response's head. `length`: bytes of the body, -1 chunked, -2 until the connection closes.

    `status_line` is the edge's own (HTTP/1.1); `minor` is the backend's.
    """

    __slots__ = (
        "block",
        "connection",
        "encoding",
        "fields",
        "keep_alive",
        "length",
        "minor",
        "size",
        "status",
        "status_line",
        "upgrade",
    )

    def __init__(self, status_line: bytes, status: int, minor: int, size: int) -> None:
        self.status_line = status_line
        self.status = status
        self.minor = minor
        self.size = size
        self.block = b""
        self.fields: dict[bytes, bytes] = {}
        self.connection = b""
        self.encoding = b""
        self.length = UNTIL_CLOSE
        self.keep_alive = minor == 1
        self.upgrade = b""
