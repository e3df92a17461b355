# SPDX-License-Identifier: AGPL-3.0-or-later
"""One edge takes over from another without a moment in which nobody listens.

    running edge                                   its successor
    offers itself on a unix socket         ←─      connects
    sends its listening sockets            ──→     starts its workers on them; both accept connections now
    goes on as if nothing had happened             …
    stops accepting, drains, ends          ←─      "ready"; offers itself under the same path

The sockets are the very same (SCM_RIGHTS), so a connection that waits in the queue of one is answered by whoever comes
first, and none is reset. A successor that dies before it is ready changes nothing. The path is for the owner alone:
whoever may connect there gets the sockets.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from proxy.app.listening import is_at, url_of

_READY: Final = b"ready"
_AT_ONCE: Final = 200  # file descriptors in one message; Linux takes 253
_SECONDS: Final = 10.0

log = structlog.get_logger()


class HandoverError(Exception):
    """There is a running edge, but it cannot be taken over."""


class _Head(msgspec.Struct):
    """Sent before the sockets: how many there are. The last is the admin port's."""

    sockets: int


class Taken:
    """What was taken from a running edge, which goes on until `confirm`."""

    def __init__(self, channel: socket.socket, sockets: Sequence[socket.socket]) -> None:
        self._channel = channel
        *self.listening, self.admin = sockets

    def check(self, listen: tuple[str, int], admin: tuple[str, int]) -> None:
        """Raise HandoverError unless the sockets are where they are to be."""
        for sock, address, option in (
            (self.listening[0], listen, "--listen"),
            (self.admin, admin, "--admin"),
        ):
            if not is_at(sock, address):
                raise HandoverError(
                    f"the running edge is at {url_of(sock)}, and {option} says {address[0]}:{address[1]}: "
                    "a place can only be changed by stopping it first"
                )

    def confirm(self) -> None:
        """All workers accept connections: the other may stop."""
        self._channel.sendall(_READY)
        self._channel.close()


def take(path: Path) -> Taken | None:
    """Ask the edge that offers itself at `path` for its sockets; None where there is none. Raises HandoverError."""
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    channel.settimeout(_SECONDS)
    try:
        channel.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        channel.close()
        return None
    except OSError as error:
        channel.close()
        raise HandoverError(f"the running edge at {path} cannot be reached: {error}") from None
    descriptors: list[int] = []
    try:
        data, descriptors, _, _ = socket.recv_fds(channel, 1024, _AT_ONCE)
        wanted = msgspec.json.decode(data, type=_Head).sockets
        while len(descriptors) < wanted:
            data, more, _, _ = socket.recv_fds(channel, 1, _AT_ONCE)
            if not data:
                raise HandoverError(f"the edge at {path} went away while it was taken over")
            descriptors += more
    except (OSError, msgspec.DecodeError) as error:
        for descriptor in descriptors:
            os.close(descriptor)
        channel.close()
        raise HandoverError(f"the edge at {path} cannot be taken over: {error}") from None
    return Taken(channel, [socket.socket(fileno=descriptor) for descriptor in descriptors])


class Offer:
    """Waits at `path` for a successor, gives it `sockets` (the admin port's last), and says when it is ready."""

    def __init__(self, path: Path, sockets: Sequence[socket.socket], taken_over: Callable[[], None]) -> None:
        self._path = path
        self._sockets = sockets
        self._taken_over = taken_over
        self._server: asyncio.Server | None = None
        self._inode = 0

    async def start(self) -> None:
        """Listen; whoever listened there before is found under this path no more. Raises HandoverError."""
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            beside.unlink(missing_ok=True)
            listener.bind(str(beside))
            beside.chmod(0o600)
            beside.replace(self._path)
        except OSError as error:
            listener.close()
            raise HandoverError(f"nobody can take over at {self._path}: {error.strerror or error}") from None
        self._server = await asyncio.start_unix_server(self._serve, sock=listener)
        self._inode = self._path.stat().st_ino

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        log.info("handing over", sockets=len(self._sockets))
        own = writer.get_extra_info("socket").dup()
        try:
            await asyncio.to_thread(self._give, own)
            ready = await reader.read(len(_READY))
        except OSError as error:
            log.warning("handing over failed", error=str(error))
            return
        finally:
            own.close()
            writer.close()
        if ready == _READY:
            self._taken_over()
        else:
            log.warning("handing over failed", error="the successor went away before it was ready")

    def _give(self, channel: socket.socket) -> None:
        channel.settimeout(_SECONDS)
        descriptors = [sock.fileno() for sock in self._sockets]
        head = msgspec.json.encode(_Head(len(descriptors)))
        socket.send_fds(channel, [head], descriptors[:_AT_ONCE])
        for start in range(_AT_ONCE, len(descriptors), _AT_ONCE):
            socket.send_fds(channel, [b"."], descriptors[start : start + _AT_ONCE])

    def close(self) -> None:
        """Offer nothing more."""
        if self._server is not None:
            self._server.close()
            try:
                if self._path.stat().st_ino == self._inode:
                    self._path.unlink()
            except FileNotFoundError:
                pass
