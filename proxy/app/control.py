# SPDX-License-Identifier: AGPL-3.0-or-later
"""What parent and worker say to each other: length-prefixed msgpack messages over a socket pair.

The only pickles are the table's, and they travel downwards only: a worker cannot make its parent run anything.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Final

import msgspec

from proxy.app.packing import Packed
from proxy.routing.table import Share
from proxy.telemetry.metrics import Snapshot

_LENGTH: Final = struct.Struct("!I")


class Install(msgspec.Struct, tag="install", frozen=True):
    """Down: run this table. Answered by Installed."""

    generation: int
    table: Packed


class Certify(msgspec.Struct, tag="certify", frozen=True):
    """Down: serve TLS with this certificate and key (PEM). The first comes before the first table."""

    pem: bytes


class Health(msgspec.Struct, tag="health", frozen=True):
    """Down: which addresses answer, backend by backend."""

    up: dict[str, list[bool]]


class Shares(msgspec.Struct, tag="shares", frozen=True):
    """Down: the shares in effect where a rollout decides them, by group; all others are the table's own."""

    shares: dict[str, Share]


class Count(msgspec.Struct, tag="count", frozen=True):
    """Down: send a snapshot. Answered by Counted."""


class Drain(msgspec.Struct, tag="drain", frozen=True):
    """Down: finish what is under way within `grace` seconds, then end."""

    grace: float


class Reopen(msgspec.Struct, tag="reopen", frozen=True):
    """Down: open the access log anew."""


class Show(msgspec.Struct, tag="show", frozen=True):
    """Down, to the comparing process: send the evidence. Answered by Shown."""


class Ready(msgspec.Struct, tag="ready", frozen=True):
    """Up: the worker accepts connections."""


class Installed(msgspec.Struct, tag="installed", frozen=True):
    """Up: the table of this generation runs."""

    generation: int


class Counted(msgspec.Struct, tag="counted", frozen=True):
    """Up: all that this worker counted; cause → how long its loop stood still lately, at most, in seconds."""

    snapshot: Snapshot
    stalls: dict[str, float]


class Shown(msgspec.Struct, tag="shown", frozen=True):
    """Up: the evidence as JSON."""

    evidence: bytes


Down = Install | Certify | Health | Shares | Count | Drain | Reopen | Show
Up = Ready | Installed | Counted | Shown


async def receive_down(reader: asyncio.StreamReader) -> Down | None:
    """The parent's next message; None when it is gone."""
    data = await _frame(reader)
    return None if data is None else _DOWN.decode(data)


async def receive_up(reader: asyncio.StreamReader) -> Up | None:
    """The worker's next message; None when it is gone."""
    data = await _frame(reader)
    return None if data is None else _UP.decode(data)


def send(writer: asyncio.StreamWriter, message: Down | Up) -> None:
    """Send a message. What the other side no longer reads is dropped with it."""
    data = _ENCODER.encode(message)
    writer.write(_LENGTH.pack(len(data)) + data)


async def _frame(reader: asyncio.StreamReader) -> bytes | None:
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


_ENCODER: Final = msgspec.msgpack.Encoder()
_DOWN: Final[msgspec.msgpack.Decoder[Down]] = msgspec.msgpack.Decoder(Down)
_UP: Final[msgspec.msgpack.Decoder[Up]] = msgspec.msgpack.Decoder(Up)
