# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a scanner finds in a head."""

from __future__ import annotations

from typing import Final

CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2


class RequestHead:
    """One request's head.

    `lines` are the header lines to forward, raw and in order, without those of one hop and what speaks of the
    client's address (`forwarding`: name → value as sent). `fields` maps every lower-case name to its first value
    (cookies joined). `length`: bytes of the body, -1 chunked.
    `size`: bytes of the head including its blank line.
    """

    __slots__ = (
        "connection",
        "encoding",
        "expects_continue",
        "fields",
        "forwarding",
        "host",
        "keep_alive",
        "length",
        "lines",
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
        self.lines: list[bytes] = []
        self.fields: dict[bytes, bytes] = {}
        self.forwarding: dict[bytes, bytes] = {}
        self.host = b""
        self.connection = b""
        self.encoding = b""
        self.length = 0
        self.keep_alive = minor == 1
        self.upgrade = False
        self.expects_continue = False


class ResponseHead:
    """One response's head. `length`: bytes of the body, -1 chunked, -2 until the connection closes."""

    __slots__ = (
        "connection",
        "encoding",
        "fields",
        "keep_alive",
        "length",
        "lines",
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
        self.lines: list[bytes] = []
        self.fields: dict[bytes, bytes] = {}
        self.connection = b""
        self.encoding = b""
        self.length = UNTIL_CLOSE
        self.keep_alive = minor == 1
        self.upgrade = b""
