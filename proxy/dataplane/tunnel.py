# SPDX-License-Identifier: AGPL-3.0-or-later
"""A WebSocket is a tunnel of raw bytes, once its upgrade was checked. Each side's pace holds back the other."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import TYPE_CHECKING, Final

from proxy.dataplane.timers import NEVER, Wheel

if TYPE_CHECKING:
    from proxy.dataplane.heads import RequestHead, ResponseHead

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


def accepts_websocket(request: RequestHead, response: ResponseHead) -> bool:
    """Whether a 101 answers this very upgrade (RFC 6455 §4.1)."""
    key = request.fields.get(b"sec-websocket-key")
    if response.upgrade != b"websocket" or key is None:
        return False
    accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    return response.fields.get(b"sec-websocket-accept") == accept


class TunnelEnd(asyncio.Protocol):
    """One end of a tunnel: what it receives, the other end sends."""

    __slots__ = ("_ended", "_tunnels", "deadline", "idle", "other", "slot", "transport")

    def __init__(self, transport: asyncio.Transport, tunnels: Tunnels, idle: float) -> None:
        self.transport = transport
        self.other: TunnelEnd = self
        self.deadline = NEVER
        self.slot = 0
        self._ended = False
        self.idle = idle
        self._tunnels = tunnels

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes for the other end."""
        self._tunnels.wheel.watch(self, self._tunnels.wheel.now() + self.idle)
        self.other.transport.write(data)

    def pause_writing(self) -> None:
        """asyncio: this end reads too slowly."""
        if not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """asyncio: this end caught up."""
        if not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def eof_received(self) -> bool:
        """asyncio: this end finished sending; the other may still speak."""
        self._ended = True
        if self.other._ended:
            self.transport.close()
            self.other.transport.close()
        elif self.other.transport.can_write_eof():
            if not self.other.transport.is_closing():
                self.other.transport.write_eof()
        else:
            self.other.transport.close()
        return self.transport.can_write_eof()  # TLS knows no half of a connection

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: this end is gone, and so is the tunnel."""
        self._tunnels.remove(self)
        if exc is None:
            self.other.transport.close()
            self._tunnels.await_end(self.other)
        else:
            self.other.transport.abort()

    def on_deadline(self, now: float) -> None:
        """The wheel: nothing came from this end. The tunnel ends when both are silent, whatever is still unsent."""
        if self.other.deadline is NEVER:
            self.transport.abort()
            self.other.transport.abort()


class Tunnels:
    """The open tunnels of a worker."""

    def __init__(self, wheel: Wheel) -> None:
        self.wheel = wheel
        self._ends: set[TunnelEnd] = set()

    def __len__(self) -> int:
        return len(self._ends) // 2

    def await_end(self, end: TunnelEnd) -> None:
        """The other end is gone: give this one the idle time to read what it was sent last."""
        if end in self._ends:
            self.wheel.watch(end, self.wheel.now() + end.idle)

    def join(self, client: asyncio.Transport, upstream: asyncio.Transport, idle: float) -> TunnelEnd:
        """Tie two transports together; silence of `idle` seconds on both ends it. Answers the client's end."""
        near, far = TunnelEnd(client, self, idle), TunnelEnd(upstream, self, idle)
        near.other, far.other = far, near
        for end in (near, far):
            self._ends.add(end)
            self.wheel.watch(end, self.wheel.now() + idle)
            end.transport.set_protocol(end)
        return near

    def remove(self, end: TunnelEnd) -> None:
        """An end is gone."""
        self._ends.discard(end)
        self.wheel.forget(end)

    def close(self) -> None:
        """End all tunnels."""
        for end in tuple(self._ends):
            end.transport.close()
