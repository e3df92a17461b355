# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an observer of the traffic is given: an exchange when it begins and when it ends, and its answer within bounds.

The data plane knows no more of observers than this. Pieces of a body are kept as the objects they came in: keeping
one copies nothing. What would go beyond a bound lets go of what was kept; the answer itself is not held up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from proxy.dataplane.exchange import Exchange
    from proxy.dataplane.heads import ResponseHead


class Observer(Protocol):
    """Told of exchanges, within the request's own path: it must neither wait nor raise."""

    def began(self, exchange: Exchange) -> Capture | None:
        """A request was decided and goes to its backend next. A capture: `ended` will be called with it."""
        ...

    def ended(self, exchange: Exchange, capture: Capture) -> None:
        """The exchange is over, well or badly (`exchange.failure`). Its last bytes were handed to the client's
        transport, which may send them only after this call returns."""
        ...


class Room:
    """How many bytes of answers a worker may keep at once."""

    __slots__ = ("free",)

    def __init__(self, size: int) -> None:
        self.free = size


class Capture:
    """One answer as it passes: `head`, None until it came, and `pieces` of its body.

    At most `limit` bytes of body are kept, and no more than `room` has; otherwise `complete` is false and nothing is.
    """

    __slots__ = ("_limit", "_room", "complete", "head", "pieces", "size")

    def __init__(self, limit: int, room: Room) -> None:
        self.head: ResponseHead | None = None
        self.pieces: list[bytes] = []
        self.size = 0
        self.complete = True
        self._limit = limit
        self._room = room

    def add(self, piece: bytes) -> None:
        """Keep a piece of the body."""
        if not self.complete:
            return
        size = len(piece)
        if self.size + size > self._limit or size > self._room.free:
            self.complete = False
            self.release()
            return
        self._room.free -= size
        self.size += size
        self.pieces.append(piece)

    def release(self) -> None:
        """Let go of what was kept."""
        self._room.free += self.size
        self.size = 0
        self.pieces = []
