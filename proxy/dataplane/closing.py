# SPDX-License-Identifier: AGPL-3.0-or-later
"""Connections that are to end, and must not lose what was said last.

A socket closed while bytes of the client lie unread resets the connection, and the reset may overtake the answer
(RFC 9112 §9.6). So the answer is followed by the end of our sending; what still comes is thrown away until the client
ends too, or has had time enough.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Final

from proxy.dataplane.pace import taken
from proxy.dataplane.timers import NEVER

if TYPE_CHECKING:
    from proxy.dataplane.edge import Edge

_LINGER_BYTES: Final = 8 * 1024 * 1024
_UNREAD_SECONDS: Final = 60.0  # for a client that reads nothing of what it was sent
_AT_ONCE: Final = struct.pack("ii", 1, 0)  # struct linger: on, no seconds


class Closing(asyncio.Protocol):
    """Takes over a client's connection to end it."""

    __slots__ = ("_discarded", "_edge", "_taken", "_transport", "deadline", "slot")

    def __init__(self, transport: asyncio.Transport, edge: Edge) -> None:
        self._transport = transport
        self._edge = edge
        self._discarded = 0
        self._taken = taken(transport)
        self.deadline = NEVER
        self.slot = 0

    def data_received(self, data: bytes) -> None:
        """asyncio: more that nobody will read; within bounds."""
        self._discarded += len(data)
        if self._discarded > _LINGER_BYTES:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: it ended."""
        self._edge.wheel.forget(self)
        self._edge.left(self)

    def on_deadline(self, now: float) -> None:
        """The wheel: time enough, unless the client is still reading what it was sent."""
        before, self._taken = self._taken, taken(self._transport)
        if self._transport.get_write_buffer_size() and self._taken > before:
            self._edge.wheel.watch(self, now + _UNREAD_SECONDS)
        else:
            self._transport.abort()

    def close_idle(self) -> None:
        """Draining: it is ending already."""

    def abort(self) -> None:
        """Draining took too long."""
        self._transport.abort()


def close(transport: asyncio.Transport, edge: Edge, *, linger: bool) -> bool:
    """End a client's connection once everything is sent. True where it has another protocol for that from now on.

    `linger`: the client may still be sending, so wait for its end as well.
    """
    unsent = transport.get_write_buffer_size()
    if transport.is_closing() or not (linger or unsent):
        transport.close()
        return False
    closing = Closing(transport, edge)
    transport.set_protocol(closing)
    edge.connections.add(closing)
    edge.wheel.watch(closing, edge.now() + (_UNREAD_SECONDS if unsent else edge.limits.linger))
    if linger:
        if transport.can_write_eof():
            transport.write_eof()
        transport.resume_reading()
    else:
        transport.close()
    return True


def reset(transport: asyncio.Transport) -> None:
    """End a client's connection in the middle of an answer, so that it cannot be taken for the whole.

    An ordinary end would be the end of a body that has no other, as HTTP/1.0 knows it.
    """
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()
