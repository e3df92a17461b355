# SPDX-License-Identifier: AGPL-3.0-or-later
"""A mail server that takes everything and delivers nothing: what the application under test sends ends here."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

_LONGEST_LINE = 1 << 20
_MAIL = re.compile(rb"MAIL FROM:\s*<([^>]*)>", re.IGNORECASE)
_RECIPIENT = re.compile(rb"RCPT TO:\s*<([^>]*)>", re.IGNORECASE)


class Delivered(msgspec.Struct, frozen=True):
    """A mail with its envelope."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


class MailServer:
    """Listens while `listening` lasts; `taken` are the mails in order of delivery."""

    def __init__(self) -> None:
        self.taken: list[Delivered] = []
        self.port = 0

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[MailServer]:
        """Take mails at an address (port 0: a free one). Raises `OSError`."""
        server = await asyncio.start_server(self._serve, host, port, limit=_LONGEST_LINE)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(self, reader, writer)
        try:
            await session.run()
        except (OSError, ValueError, asyncio.IncompleteReadError):
            # Whoever leaves in the middle of a mail has not sent one.
            pass
        finally:
            writer.close()


class _Session:
    """One client's conversation (RFC 5321, as far as a sender needs it)."""

    def __init__(
        self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._reset()

    def _reset(self) -> None:
        self._sender = ""
        self._recipients: list[str] = []

    async def run(self) -> None:
        """Answer until the client leaves."""
        await self._say("220 banyan takes mail")
        while line := await self._reader.readline():
            command = line[:4].upper()
            if command == b"QUIT":
                await self._say("221 bye")
                return
            await self._obey(command, line)

    async def _obey(self, command: bytes, line: bytes) -> None:
        if command == b"EHLO":
            await self._say(
                "250-banyan", "250-8BITMIME", "250-SMTPUTF8", "250-AUTH PLAIN LOGIN", "250 SIZE 0"
            )
        elif command == b"AUTH":
            await self._authenticate(line)
        elif found := _MAIL.match(line):
            self._reset()
            self._sender = found[1].decode("utf-8", "replace")
            await self._say("250 ok")
        elif found := _RECIPIENT.match(line):
            self._recipients.append(found[1].decode("utf-8", "replace"))
            await self._say("250 ok")
        elif command == b"DATA":
            await self._say("354 go on")
            content = await self._content()
            self._server.taken.append(Delivered(self._sender, tuple(self._recipients), content))
            self._reset()
            await self._say("250 taken")
        elif command in (b"HELO", b"NOOP", b"RSET"):
            if command == b"RSET":
                self._reset()
            await self._say("250 ok")
        else:
            await self._say("502 not here")

    async def _authenticate(self, line: bytes) -> None:
        words = line.split()
        asked = 2 if words[1:2] == [b"LOGIN"] else 1
        for _ in range(asked - max(0, len(words) - 2)):
            await self._say("334 ")
            await self._reader.readline()
        await self._say("235 whoever you are")

    async def _content(self) -> bytes:
        lines = []
        while (line := await self._reader.readline()) not in (b".\r\n", b".\n"):
            if not line:
                raise asyncio.IncompleteReadError(b"", None)
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    async def _say(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self._writer.drain()
