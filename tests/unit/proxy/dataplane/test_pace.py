# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a client took is told from what it left lying."""

from __future__ import annotations

import asyncio
import socket

from proxy.dataplane.pace import taken
from tests.proxytest.waiting import until


class Deaf(asyncio.Transport):
    """A transport without a socket of its own, some bytes of which are unsent."""

    def __init__(self, unsent: int) -> None:
        super().__init__()
        self.unsent = unsent

    def get_write_buffer_size(self) -> int:
        return self.unsent


async def test_it_grows_with_what_the_other_side_takes() -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
        client.setblocking(False)
        sock, _ = server.accept()
        transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, sock)
        before = taken(transport)
        transport.write(b"x" * 1000)
        await until(lambda: taken(transport) == before + 1000)
        transport.abort()
        await until(lambda: sock.fileno() < 0)
        assert isinstance(taken(transport), int), "nothing is raised where the connection is gone"


def test_without_the_kernels_count_it_grows_as_the_buffer_shrinks() -> None:
    transport = Deaf(100)
    before = taken(transport)
    transport.unsent = 60
    assert taken(transport) > before
