# SPDX-License-Identifier: AGPL-3.0-or-later
"""How much of what was sent a client has taken.

asyncio says that writing may go on only once its buffer is nearly empty, and that says nothing of a client who reads
slowly from a large buffer of the kernel's. The kernel counts what the other side has acknowledged.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Final

_INFO: Final[int | None] = getattr(socket, "TCP_INFO", None)
_ACKNOWLEDGED: Final = struct.Struct("=120xQ")  # struct tcp_info: tcpi_bytes_acked (Linux 4.1)


def taken(transport: asyncio.Transport) -> int:
    """A number that grows whenever the other side takes something while nothing is written."""
    sock = transport.get_extra_info("socket")
    if sock is not None and _INFO is not None:
        try:
            info = sock.getsockopt(socket.IPPROTO_TCP, _INFO, _ACKNOWLEDGED.size)
        except OSError:  # closed meanwhile, or no TCP
            info = b""
        if len(info) == _ACKNOWLEDGED.size:
            (acknowledged,) = _ACKNOWLEDGED.unpack(info)
            return int(acknowledged)
    return -transport.get_write_buffer_size()
