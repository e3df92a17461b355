# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writing at once.

uvloop gathers what is written in a turn of its loop and sends it at the turn's end: one answer then waits until every
other connection that was ready has been looked at. What the socket takes is therefore written at once, and only the
rest is left to the transport.
"""

from __future__ import annotations

import asyncio
import os
from typing import Final

try:
    from proxy.dataplane._send import send
except ImportError:  # it was not built, or is not wanted

    def send(descriptor: int, data: bytes) -> int:
        """How many bytes the socket took: none where it is full, or the other side is gone."""
        try:
            return os.write(descriptor, data)
        except OSError:
            return 0


UNKNOWN: Final = -1
"""No descriptor to write to: the transport has to do it."""


def descriptor_of(transport: asyncio.BaseTransport) -> int:
    """Where the bytes of a plain connection may be written; UNKNOWN where they are encrypted first."""
    sock = transport.get_extra_info("socket")
    if sock is None or transport.get_extra_info("sslcontext") is not None:
        return UNKNOWN
    return int(sock.fileno())


def write(transport: asyncio.WriteTransport, descriptor: int, data: bytes) -> None:
    """Write `data` at once as far as the socket takes it; the transport writes the rest, and finds what is wrong."""
    # A transport that closes has closed its descriptor, which may be another connection's by now.
    if descriptor >= 0 and not transport.is_closing() and not transport.get_write_buffer_size():
        sent = send(descriptor, data)
        if sent == len(data):
            return
        data = data[sent:]
    transport.write(data)
