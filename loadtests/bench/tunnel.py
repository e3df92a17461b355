# SPDX-License-Identifier: AGPL-3.0-or-later
"""WebSockets: messages of one size at a steady rate over several connections, each sent back by the origin.

A proxy that works at its limit does more in each turn and looks cheaper; therefore all get the same rate.
"""

from __future__ import annotations

import base64
import hashlib
import select
import socket
import struct
import time
from typing import Final, NamedTuple

from loadtests.bench import workload

PAYLOAD: Final = bytes(range(200))
_START: Final = struct.pack("!BBH", 0x82, 126 | 0x80, len(PAYLOAD))
FROM_CLIENT: Final = _START + b"\0\0\0\0" + PAYLOAD
"""A binary message, masked as clients must, with a mask that changes nothing."""
FROM_SERVER: Final = struct.pack("!BBH", 0x82, 126, len(PAYLOAD)) + PAYLOAD
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_PATIENCE: Final = 10.0


def switching(key: bytes) -> bytes:
    """The answer to an upgrade whose Sec-WebSocket-Key is `key` (RFC 6455, 4.2.2)."""
    accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def echoed(received: bytes) -> tuple[bytes, bytes]:
    """What to send back for the whole messages in `received`, and what is left of it. Messages may be masked with
    anything. Raises `ValueError` for other messages than ours."""
    count, _ = divmod(len(received), len(FROM_CLIENT))
    for at in range(0, count * len(FROM_CLIENT), len(FROM_CLIENT)):
        message = received[at : at + len(FROM_CLIENT)]
        if not message.startswith(_START) or _unmasked(message) != PAYLOAD:
            raise ValueError("not a message of the benchmark")
    return FROM_SERVER * count, received[count * len(FROM_CLIENT) :]


def _unmasked(message: bytes) -> bytes:
    mask, payload = message[len(_START) : len(_START) + 4], message[len(_START) + 4 :]
    if mask == b"\0\0\0\0":
        return payload
    stream = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(payload), "big")


class Talk(NamedTuple):
    """What came of a tunnel's round."""

    messages: int
    errors: list[str]


class Tunnels:
    """Open WebSockets to a server. Use as a context."""

    def __init__(self, port: int, connections: int, cookie: str) -> None:
        self._sockets = [_upgraded(port, cookie) for _ in range(connections)]

    def __enter__(self) -> Tunnels:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            one.close()

    def talk(self, per_second: float, seconds: float) -> Talk:
        """Send messages in turn over all connections, wait for all to come back, check every byte."""
        pending = dict.fromkeys(self._sockets, b"")
        started = time.perf_counter()
        total = int(per_second * seconds)
        sent = back = 0
        while back < total:
            now = time.perf_counter() - started
            if now > seconds + _PATIENCE:
                return Talk(back, [f"{total - back} of {total} messages did not come back"])
            due = min(total, int(now * per_second) + 1)
            while sent < due:
                self._sockets[sent % len(self._sockets)].sendall(FROM_CLIENT)
                sent += 1
            wait = sent / per_second - now if sent < total else _PATIENCE
            for one in select.select(self._sockets, (), (), max(0.0, wait))[0]:
                data = one.recv(65536)
                if not data:
                    return Talk(back, ["a tunnel was closed"])
                pending[one] += data
                count, rest = divmod(len(pending[one]), len(FROM_SERVER))
                if pending[one][: count * len(FROM_SERVER)] != FROM_SERVER * count:
                    return Talk(back, ["a message came back changed"])
                pending[one] = pending[one][len(pending[one]) - rest :]
                back += count
        return Talk(back, [])


def _upgraded(port: int, cookie: str) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port), _PATIENCE)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(bytes(16)).decode()
    upgrade = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
    )
    one.sendall(workload.request("/cable", cookie, *upgrade))
    head = b""
    while b"\r\n\r\n" not in head:
        data = one.recv(4096)
        head += data
        if not data or not b"HTTP/1.1 101".startswith(head[:12]):
            raise ConnectionError(f"no upgrade: {head[:100]!r}")
    return one
