# SPDX-License-Identifier: AGPL-3.0-or-later
"""A worker's way to the process that compares: a unix socket that is never waited for.

What is sent is written a moment later, together, after the answers to users. What does not fit within `limit` bytes
is refused; what was under way when the other end went away is lost; both are told to whoever sends.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Final, cast

_AGAIN_SECONDS: Final = 0.5
_TOGETHER_SECONDS: Final = 0.005  # fewer writes, and fewer times that the other process wakes
_SOCKET_BYTES: Final = 1024 * 1024  # beside `limit`: what the kernel holds
_MORE_FOR_URGENT: Final = 1024 * 1024
_HIGH_WATER: Final = 1024 * 1024 * 1024  # nobody waits for the transport: its own marks mean nothing


class Outlet(asyncio.Protocol):
    """See the module. `lost` is called with the number of messages that were accepted and then lost."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, path: str, limit: int, lost: Callable[[int], None]
    ) -> None:
        self._loop = loop
        self._path = path
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._messages = 0
        self._flushing = False
        self._closed = False
        self.limit = limit

    @property
    def queued(self) -> int:
        """Bytes that the other end has not taken yet."""
        written = 0 if self._transport is None else self._transport.get_write_buffer_size()
        return self._waiting_bytes + written

    def send(self, head: bytes, body: Sequence[bytes] = (), size: int = 0, *, urgent: bool = False) -> bool:
        """Hand over a frame whose body (`size` bytes) is in pieces. False: there is no room for it now.

        `urgent`: it is small, and its loss would cost more than itself.
        """
        size += len(head)
        if self.queued + size > self.limit + (_MORE_FOR_URGENT if urgent else 0):
            return False
        self._waiting.append(head)
        self._waiting += body
        self._waiting_bytes += size
        self._messages += 1
        if not self._flushing:
            self._flushing = True
            self._loop.call_later(_TOGETHER_SECONDS, self._flush)
        return True

    def _flush(self) -> None:
        self._flushing = False
        transport = self._transport
        if transport is None:
            if self._connecting is None and not self._closed:
                self._connecting = self._loop.create_task(self._connect())
            return
        waiting, self._waiting = self._waiting, []
        self._waiting_bytes = 0
        transport.writelines(waiting)
        if not transport.get_write_buffer_size():
            self._messages = 0

    async def _connect(self) -> None:
        try:
            while not self._closed:
                try:
                    await self._loop.create_unix_connection(lambda: self, self._path)
                except OSError:
                    await asyncio.sleep(_AGAIN_SECONDS)
                else:
                    break
        finally:
            self._connecting = None
        self._flush()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: there is somebody to tell."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(_HIGH_WATER)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the process ended. What it had not read is lost, and so is what follows a half sent frame."""
        self._transport = None
        messages, self._messages = self._messages, 0
        self._waiting = []
        self._waiting_bytes = 0
        if not self._closed:
            self._lost(messages)

    def close(self) -> None:
        """Send no more."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self._transport is not None:
            self._transport.abort()
