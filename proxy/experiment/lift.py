# SPDX-License-Identifier: AGPL-3.0-or-later
"""What workers hand over to the process that compares, and how it stands on the socket between them.

A frame is two lengths, a message (msgpack) and a body as it came. Times `began` and `ended` are seconds of the
machine's monotonic clock, which is the same for all processes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

_LENGTHS: Final = struct.Struct("!II")
_MOST_HEAD: Final = 4 * 1024 * 1024


class Lifted(msgspec.Struct, tag="l", array_like=True, frozen=True):
    """A request with the answer that its user got; the answer's body is the frame's.

    `route` is its index in the table of `generation`; `served` and `other` are backends' indexes there. `request` is
    the head as it was sent to `served`, `status` and `block` (raw header lines) are of the answer, 0 and empty where
    none came. `failure` is the data plane's code. `complete`: the body is whole; otherwise it was too large to keep.
    `lost_at`: when this worker last failed to report a write (0: never).
    """

    generation: int
    route: int
    served: int
    other: int
    request_id: bytes
    at: float
    began: float
    ended: float
    request: bytes
    status: int
    block: bytes
    failure: str
    complete: bool
    lost_at: float


class WriteBegan(msgspec.Struct, tag="b", array_like=True, frozen=True):
    """A write goes to its backend. `number` is the worker's own; `cookies` the raw header."""

    number: int
    generation: int
    route: int
    at: float
    target: bytes
    cookies: bytes


class WriteEnded(msgspec.Struct, tag="e", array_like=True, frozen=True):
    """It was answered, or failed."""

    number: int
    at: float


class Dropped(msgspec.Struct, tag="d", array_like=True, frozen=True):
    """So many exchanges of a route were not lifted, and why (a `Why`)."""

    generation: int
    route: int
    why: str
    count: int


Message = Lifted | WriteBegan | WriteEnded | Dropped

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final[msgspec.msgpack.Decoder[Message]] = msgspec.msgpack.Decoder(Message)


def frame_head(message: Message, body_size: int = 0) -> bytes:
    """A frame up to its body."""
    data = _ENCODER.encode(message)
    return _LENGTHS.pack(len(data), body_size) + data


class Frames:
    """Takes a stream apart. Raises msgspec.DecodeError for one that makes no sense."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def held(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return len(self._held)

    def feed(self, data: bytes) -> Iterator[tuple[Message, bytes]]:
        """All messages that are complete now, with their bodies."""
        held = self._held
        held += data
        at = 0
        try:
            while len(held) - at >= _LENGTHS.size:
                head_size, body_size = _LENGTHS.unpack_from(held, at)
                if head_size > _MOST_HEAD:
                    raise msgspec.DecodeError("a frame's head is too large")
                start = at + _LENGTHS.size
                end = start + head_size + body_size
                if len(held) < end:
                    break
                body_at = start + head_size
                message = _DECODER.decode(bytes(held[start:body_at]))
                body = bytes(held[body_at:end])
                at = end
                yield message, body
        finally:
            del held[:at]
