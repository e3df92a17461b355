# SPDX-License-Identifier: AGPL-3.0-or-later
"""A backend that does exactly what a test says, and remembers what it was sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from tests.proxytest.client import Message, read_message

Script = Callable[["Asked", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Asked:
    """One request as it arrived."""

    message: Message
    connection: int

    @property
    def target(self) -> bytes:
        """The raw target."""
        return self.message.start.split(b" ")[1]

    def header(self, name: bytes) -> list[bytes]:
        """All values of a header."""
        return self.message.values(name)


def answer(body: bytes = b"ok", status: bytes = b"200 OK", headers: bytes = b"") -> bytes:
    """A plain answer with a length."""
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), headers, body)


def always(data: bytes) -> Script:
    """Answer every request with these bytes."""

    async def script(_asked: Asked, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return script


@dataclass
class ScriptedBackend:
    """See the module. `name` is what its default answers say."""

    name: str
    script: Script | None = None
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    read_bodies: bool = True
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self._writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while (message := await read_message(reader, body=self.read_bodies)) is not None:
                asked = Asked(message, number)
                self.asked.append(asked)
                script = self.script or always(answer(self.name.encode()))
                await script(asked, reader, writer)
                await writer.drain()
        self._writers.discard(writer)
        writer.close()

    async def start(self) -> None:
        """Listen (again on the same port, after `stop`)."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections, cut the open ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def backends(*names: str) -> AsyncIterator[list[ScriptedBackend]]:
    """Some backends, started."""
    made = [ScriptedBackend(name) for name in names]
    for backend in made:
        await backend.start()
    try:
        yield made
    finally:
        for backend in made:
            await backend.stop()
