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
_TOGETHER_SECONDS: Final = 0.01  # fewer writes, and fewer times that the other process wakes
_SOCKET_BYTES: Final = 1024 * 1024  # beside `limit`: what the kernel holds
_MORE_TO_TELL: Final = 1024 * 1024
_HIGH_WATER: Final = 1024 * 1024 * 1024  # nobody waits for the transport: its own marks mean nothing


class Outlet:
    """See the module. `lost` is called with the number of messages that were accepted and then lost.

    It is an `asyncio.Protocol` in all but name: compiled, a class cannot have one in Python for a base.
    """

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

    def send(self, head: bytes, body: Sequence[bytes], size: int) -> bool:
        """Hand over a frame whose body (`size` bytes) is in pieces. False: there is no room for it now."""
        return self._take(head, body, len(head) + size, self.limit)

    def tell(self, head: bytes) -> bool:
        """Hand over a frame that is small, and whose loss would cost more than itself. False: there is no room."""
        return self._take(head, (), len(head), self.limit + _MORE_TO_TELL)

    def _take(self, head: bytes, body: Sequence[bytes], size: int, limit: int) -> bool:
        if self.queued + size > limit:
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
                    await self._loop.create_unix_connection(
                        lambda: cast("asyncio.Protocol", self), self._path
                    )
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

    def data_received(self, data: bytes) -> None:
        """asyncio: the other end says nothing that matters."""

    def eof_received(self) -> bool:
        """asyncio: it ends."""
        return False

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
