# SPDX-License-Identifier: AGPL-3.0-or-later
"""The edge's listening sockets. They outlive workers, and the edge itself where another takes over."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Final

BACKLOG: Final = 1024


class ListenError(Exception):
    """An address cannot be listened on."""


def bind(address: tuple[str, int], *, reuse_port: bool) -> socket.socket:
    """Listen on (host, port); port 0 picks a free one. Raises ListenError."""
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise ListenError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
    sock.setblocking(False)
    return sock


def bind_for_workers(
    address: tuple[str, int], workers: int, taken: Sequence[socket.socket] = ()
) -> list[list[socket.socket]]:
    """The sockets of each worker on one address: the kernel spreads connections over them.

    `taken` are those of a running edge: connections may wait in each, so none is left without a worker.
    """
    sockets = list(taken) or [bind(address, reuse_port=True)]
    here = (address[0], sockets[0].getsockname()[1])
    sockets += [bind(here, reuse_port=True) for _ in range(workers - len(sockets))]
    return [sockets[number::workers] for number in range(workers)]


def is_at(sock: socket.socket, address: tuple[str, int]) -> bool:
    """Whether a listening socket is where `address` says (port 0: any)."""
    host, port = sock.getsockname()[:2]
    wanted = {info[4][0] for info in socket.getaddrinfo(address[0], address[1], type=socket.SOCK_STREAM)}
    return host in wanted and address[1] in (0, port)


def url_of(sock: socket.socket, scheme: str = "http") -> str:
    """Where a socket listens."""
    host, port = sock.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
