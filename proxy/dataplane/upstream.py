# SPDX-License-Identifier: AGPL-3.0-or-later
"""One connection to a backend: one exchange at a time, its framing checked as strictly as a client's."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Final, cast

from proxy.dataplane import sending
from proxy.dataplane.framing import BodyReader, ChunkedReader, CloseReader, LengthReader
from proxy.dataplane.heads import CHUNKED, UNTIL_CLOSE, ResponseHead
from proxy.dataplane.scanner import make_scanner
from proxy.dataplane.tunnel import accepts_websocket
from proxy.model import HeadLimits, Malformed

if TYPE_CHECKING:
    from proxy.dataplane.exchange import Exchange
    from proxy.dataplane.pool import Pool

# A backend is trusted to send larger heads than a client may.
_SCANNER: Final = make_scanner(
    HeadLimits(head_bytes=65_536, header_count=200), frozenset({b"cache-control", b"sec-websocket-accept"})
)
_INTERIM_LIMIT: Final = 16
_READ_BYTES: Final = 65_536


class UpstreamConnection:
    """Lives in a pool between exchanges. `idle_since` is meaningful only there; `fresh` until its first answer.

    It is an `asyncio.Protocol` in all but name: compiled, a class cannot have one in Python for a base.
    """

    __slots__ = (
        "_body",
        "_descriptor",
        "_head",
        "_held",
        "_holding",
        "_interim",
        "address",
        "circuit",
        "exchange",
        "fresh",
        "idle_since",
        "pool",
        "transport",
    )

    def __init__(self, pool: Pool, address: int) -> None:
        self.pool = pool
        self.address = address
        self.circuit = pool.circuits[address]
        self.transport: asyncio.Transport = _NOT_CONNECTED
        self._descriptor = sending.UNKNOWN
        self.exchange: Exchange | None = None
        self.fresh = True
        self.idle_since = 0.0
        self._held = b""
        self._holding = False
        self._interim = 0
        self._head: ResponseHead | None = None
        self._body: BodyReader | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection stands."""
        self.transport = cast("asyncio.Transport", transport)
        self._descriptor = sending.descriptor_of(transport)

    def begin(self, exchange: Exchange, now: float) -> None:
        """Carry `exchange`: send its head and what came of its body."""
        self.exchange = exchange
        exchange.upstream = self
        self._held = b""
        self._interim = 0
        self._head = None
        self._body = None
        if self.circuit.alert:
            self.pool.sent(self.address)
        exchange.client.upstream_ready(now)  # before anything is written: that may fill the connection
        unsent = exchange.unsent
        if len(unsent) == 1:
            sending.write(self.transport, self._descriptor, unsent[0])
            return
        self.transport.write(b"".join(unsent))
        del unsent[1:]  # the head stays: a stale connection may make it necessary again

    def data_received(self, data: bytes) -> None:
        """asyncio: a piece of the answer."""
        exchange = self.exchange
        if exchange is None:
            self.transport.abort()  # it spoke out of turn: whatever it says next belongs to nobody
            return
        now = self.pool.now()
        try:
            if self._body is None:
                self._answer(exchange, data, now)
            else:
                payload, rest = self._body.feed(data)
                self._deliver(exchange, payload, rest, now)
        except Malformed:
            self._fail("backend_malformed")

    def _answer(self, exchange: Exchange, data: bytes, now: float) -> None:
        if self._held:
            data = self._held + data
        while True:
            head = _SCANNER.response(data, exchange.head.method)
            if head is None:
                self._held = data
                return
            if head.status >= 200 or head.status == 101:
                break
            self._interim += 1
            if self._interim > _INTERIM_LIMIT:
                raise Malformed("interim", "too many interim answers")
            exchange.client.interim(head)
            data = data[head.size :]
        self._held = b""
        if self.circuit.alert:
            self.pool.answered(self.address)
        rest = data[head.size :]
        if head.status == 101:
            self._switch(exchange, head, rest)
            return
        self._head = head
        payload: bytes
        after: bytes | None
        if head.length == len(rest):
            payload, after = rest, b""  # all of it came at once, as small answers do
        else:
            self._body = _reader(head.length)
            payload, after = self._body.feed(rest)
        done = after is not None
        if done:
            self._detach(exchange)
        exchange.client.answer(head, payload, done, now)
        if done:
            self._leave(exchange, not after, now)

    def _deliver(self, exchange: Exchange, payload: bytes, rest: bytes | None, now: float) -> None:
        if rest is None:
            exchange.client.answer_more(payload, False, now)
            return
        self._detach(exchange)
        exchange.client.answer_more(payload, True, now)
        self._leave(exchange, not rest, now)

    def _switch(self, exchange: Exchange, head: ResponseHead, rest: bytes) -> None:
        if not exchange.head.upgrade or not accepts_websocket(exchange.head, head):
            raise Malformed("upgrade", "the backend switched protocols although nobody asked")
        self._detach(exchange)
        self.pool.lost(self)
        exchange.client.switch(head, self.transport, rest)

    def _detach(self, exchange: Exchange) -> None:
        self.exchange = None
        exchange.upstream = None

    def _leave(self, exchange: Exchange, clean: bool, now: float) -> None:
        """The answer is complete: back to the pool, or closed where the connection cannot be trusted any more."""
        head = self._head
        reusable = (
            clean
            and head is not None
            and head.keep_alive
            and head.length != UNTIL_CLOSE
            and exchange.request_body is None
            and not exchange.head.upgrade
            and not self.transport.is_closing()
        )
        self.fresh = False
        if reusable:
            self.go_on()
            self.pool.release(self, now)
        else:
            self.transport.abort()

    def hold(self) -> None:
        """The client reads too slowly: leave the answer in the socket."""
        if not self.transport.is_closing():
            self.transport.pause_reading()
            self._holding = True

    def go_on(self) -> None:
        """The client caught up."""
        if self._holding:
            self._holding = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def abandon(self, *, at_fault: bool) -> None:
        """The client is gone, or was answered otherwise: the exchange is not this connection's any more.

        `at_fault`: because the backend took too long.
        """
        self.exchange = None
        if self._head is not None:
            pass  # it had answered: what came then says nothing of whether it can
        elif at_fault:
            self.pool.failed(self.address)
        elif self.circuit.alert:
            self.pool.undecided(self.address)
        self.transport.abort()

    def _fail(self, code: str) -> None:
        exchange = self.exchange
        self.exchange = None
        self.transport.abort()
        if self._head is None:
            self.pool.failed(self.address)
        if exchange is not None:
            exchange.upstream = None
            exchange.client.upstream_failed(code)

    def eof_received(self) -> bool:
        """asyncio: the backend finished sending. That ends a body which has no other end."""
        exchange = self.exchange
        if exchange is not None and self._head is not None and self._head.length == UNTIL_CLOSE:
            self._detach(exchange)
            exchange.client.answer_more(b"", True, self.pool.now())
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        self.pool.lost(self)
        if exc is not None and self.exchange is not None:
            self._read_what_is_left()
        exchange = self.exchange
        if exchange is None:
            return
        self.exchange = None
        exchange.upstream = None
        untouched = self._head is None and not self._held and not self._interim
        if self._head is None and (self.fresh or not untouched):
            self.pool.failed(self.address)
        if untouched and not self.fresh and not exchange.retried and exchange.may_be_repeated():
            exchange.retried = True
            self.pool.acquire(exchange)
        else:
            exchange.client.upstream_failed("backend_reset")

    def _read_what_is_left(self) -> None:
        """A failed write ends the connection for asyncio, but not what the backend had said before it hung up: an
        early answer to an upload may lie in the socket, which is closed only after `connection_lost`."""
        descriptor = self.transport.get_extra_info("socket").fileno()
        with contextlib.suppress(OSError):
            while self.exchange is not None and (data := os.read(descriptor, _READ_BYTES)):
                self.data_received(data)

    def pause_writing(self) -> None:
        """asyncio: the backend reads more slowly than the client sends."""
        if self.exchange is not None:
            self.exchange.client.upstream_full(True)

    def resume_writing(self) -> None:
        """asyncio: the backend caught up."""
        if self.exchange is not None:
            self.exchange.client.upstream_full(False)


def _reader(length: int) -> BodyReader:
    if length >= 0:
        return LengthReader(length)
    return ChunkedReader() if length == CHUNKED else CloseReader()


_NOT_CONNECTED: Final = asyncio.Transport()
