# SPDX-License-Identifier: AGPL-3.0-or-later
"""Large bodies, both ways, checked by length and CRC-32."""

from __future__ import annotations

import json
import re
import socket
import zlib
from functools import cache
from typing import Final

from loadtests.bench import workload
from loadtests.bench.generator import LoadError

_PATIENCE: Final = 60.0
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)


@cache
def _expected_crc() -> int:
    crc = 0
    for _ in range(workload.LARGE // len(workload.BLOCK)):
        crc = zlib.crc32(workload.BLOCK, crc)
    return crc


def download(port: int, cookie: str) -> None:
    """Get the large body. Raises `LoadError` where it is not the origin's."""
    with socket.create_connection(("127.0.0.1", port), _PATIENCE) as one:
        one.sendall(workload.request("/large", cookie))
        length, start = _head(one)
        received, crc = len(start), zlib.crc32(start)
        view = memoryview(bytearray(1 << 18))
        while received < length and (count := one.recv_into(view)):
            received += count
            crc = zlib.crc32(view[:count], crc)
    if (received, crc) != (workload.LARGE, _expected_crc()):
        raise LoadError(f"{received} bytes of {workload.LARGE} arrived, or others than were sent")


def upload(port: int, cookie: str) -> None:
    """Send the large body. Raises `LoadError` where the origin got another."""
    with socket.create_connection(("127.0.0.1", port), _PATIENCE) as one:
        more = ("Content-Type: application/octet-stream", f"Content-Length: {workload.LARGE}")
        one.sendall(workload.request("/large", cookie, *more, method="POST"))
        for _ in range(workload.LARGE // len(workload.BLOCK)):
            one.sendall(workload.BLOCK)
        length, body = _head(one)
        while len(body) < length and (data := one.recv(65536)):
            body += data
    if json.loads(body) != {"bytes": workload.LARGE, "crc32": _expected_crc()}:
        raise LoadError(f"the origin got another body: {body!r}")


def _head(one: socket.socket) -> tuple[int, bytes]:
    """Read a head: (announced length, what of the body came along)."""
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        data = one.recv(65536)
        if not data:
            raise LoadError(f"closed within the head: {received[:80]!r}")
        received += data
    length = _LENGTH.search(received, 0, end + 2)
    if not received.startswith(b"HTTP/1.1 200 ") or length is None:
        raise LoadError(f"not 200 with a length: {received[:80]!r}")
    return int(length[1]), received[end + 4 :]
