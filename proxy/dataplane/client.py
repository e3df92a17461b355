# SPDX-License-Identifier: AGPL-3.0-or-later
"""One client's connection: requests in, answers out, one exchange at a time.

No task, future or coroutine per request: this object and an `UpstreamConnection` call each other. What may go wrong
has a phase and a deadline; the wheel calls `on_deadline` when it has passed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from proxy.dataplane import closing, compose, pace, sending
from proxy.dataplane.failures import FAILURES, NEVER_SENT, TOO_SLOW
from proxy.dataplane.forwarded import client_address, forwarding_lines, is_trusted
from proxy.dataplane.framing import END_OF_CHUNKS, ChunkedReader, LengthReader, chunk
from proxy.dataplane.heads import CHUNKED, RequestHead, ResponseHead
from proxy.dataplane.timers import NEVER, TICK
from proxy.model import Malformed

if TYPE_CHECKING:
    from proxy.dataplane.edge import Edge
    from proxy.dataplane.exchange import Exchange

# What the connection waits for, and so what a passed deadline means.
_IDLE: Final = 0
_HEAD: Final = 1
_QUEUE: Final = 2
_UPLOAD: Final = 3
_FIRST_BYTE: Final = 4
_STREAM: Final = 5

# Of a body, to write it with its head in one piece; beyond, two pieces cost less.
_COPIED_BYTES: Final = 8_192
_PIPELINE_BYTES: Final = 65_536  # of requests sent ahead; more is left in the socket


class ClientConnection:
    """See the module. `edge` is shared by all connections of a worker.

    It is an `asyncio.Protocol` in all but name: compiled, a class cannot have one in Python for a base.
    """

    __slots__ = (
        "_chunked",
        "_close_after",
        "_descriptor",
        "_edge",
        "_half_closed",
        "_held",
        "_paused_for_upstream",
        "_phase",
        "_taken",
        "_told",
        "_transport",
        "_write_paused",
        "counted_as",
        "deadline",
        "exchange",
        "peer",
        "secure",
        "slot",
        "trusted",
    )

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._transport: asyncio.Transport = _NOT_CONNECTED
        self._descriptor = sending.UNKNOWN
        self._held = b""
        self._phase = _IDLE
        self._taken = 0
        self._told = _NOTHING_TOLD
        self._chunked = False
        self._close_after = False
        self._half_closed = False
        self._paused_for_upstream = False
        self._write_paused = False
        self.exchange: Exchange | None = None
        self.deadline = NEVER
        self.slot = 0
        self.counted_as = ""
        self.peer = ""
        self.secure = False
        self.trusted = False

    # -- the client speaks ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: somebody connected."""
        self.introduced(transport)

    def introduced(self, transport: asyncio.BaseTransport, address: str = "", secure: bool = False) -> None:
        """It is known who connected: from `address`, if a load balancer said so; `secure`: by TLS."""
        self._transport = cast("asyncio.Transport", transport)
        self._descriptor = sending.descriptor_of(transport)
        edge = self._edge
        peername = transport.get_extra_info("peername")
        self.peer = address or (peername[0] if isinstance(peername, tuple) else "")
        self.secure = secure or transport.get_extra_info("sslcontext") is not None
        self.trusted = is_trusted(self.peer, edge.table.trusted_proxies)
        if edge.arrived(self):
            self._wait(_HEAD, edge.limits.head_time, edge.now())
        else:
            edge.dropped("too-many-connections")
            message = "There are too many connections from this address."
            self._own_answer(429, "too_many_connections", message, edge.new_request_id(), head_only=False)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes of a request, or of several."""
        exchange = self.exchange
        if exchange is None and not self._write_paused:
            self._request(self._held + data if self._held else data)
        elif exchange is not None and exchange.request_body is not None:
            self._upload(exchange, data)
        else:  # sent ahead: its turn comes when what was asked before is answered, and the answers are read
            self._held += data
            if len(self._held) > _PIPELINE_BYTES:
                self._transport.pause_reading()

    def _request(self, data: bytes) -> None:
        edge = self._edge
        if data[:1] in (b"\r", b"\n"):
            data = self._skip_empty_line(data)
        try:
            head = edge.generation.scanner.request(data) if data else None
        except Malformed as broken:
            self._refuse(broken.status, broken.code, broken.reason)
            return
        if head is None:
            self._held = data
            if self._half_closed:
                self._end_of_requests()
            elif data and self._phase == _IDLE:
                self._wait(_HEAD, edge.limits.head_time, edge.now())
            return
        self._held = b""
        if edge.mark and head.forwarding.get(_SHADOW) == edge.mark:
            self._refuse(508, "shadow_loop", "A repeated request came back to the edge that sent it.")
            return
        self._begin(head, data[head.size :] if len(data) > head.size else b"")

    def _skip_empty_line(self, data: bytes) -> bytes:
        """One empty line before a request is forgiven (RFC 9112 §2.2)."""
        return data[2:] if data[:2] == b"\r\n" else data

    def _begin(self, head: RequestHead, rest: bytes) -> None:
        edge = self._edge
        forwarding = head.forwarding
        address = self.peer
        if self.trusted:
            address = client_address(address, forwarding, edge.table.trusted_proxies)
        elif len(forwarding) > (b"x-request-id" in forwarding):
            edge.untrusted_forwarding()
        exchange = self.exchange = edge.decide(head, self, address)
        exchange.unsent.append(
            compose.request_bytes(
                head, exchange.pool.authority, self._forwarding_lines(head), exchange.request_id
            )
        )
        if head.length != 0:
            limit = exchange.lane.body_limit
            if head.length > limit >= 0:
                self._fail("body_too_large")
                return
            exchange.request_body = ChunkedReader() if head.length == CHUNKED else LengthReader(head.length)
            self._transport.pause_reading()
            self._paused_for_upstream = True
            if rest:
                self._upload(exchange, rest)
                if self.exchange is not exchange or exchange.failure:
                    return
        else:
            self._held = rest
        exchange.pool.acquire(exchange)
        if exchange.upstream is None and self.exchange is exchange:
            self._wait(_QUEUE, exchange.pool.wait, exchange.started_at)

    def _forwarding_lines(self, head: RequestHead) -> bytes:
        """What tells the backend of the client. A connection's requests name one host, as a rule."""
        host = head.host
        if not self.trusted and host == self._told[0]:
            return self._told[1]
        scheme = b"https" if self.secure else b"http"
        lines = forwarding_lines(self.peer, self.trusted, scheme, host, head.forwarding)
        self._told = (host, lines)
        return lines

    def _upload(self, exchange: Exchange, data: bytes) -> None:
        """A piece of the request's body goes to the backend, framed anew."""
        body = exchange.request_body
        if body is None:
            return
        try:
            payload, rest = body.feed(data)
        except Malformed as broken:
            self._cut_off(broken.status, broken.code, broken.reason)
            return
        exchange.bytes_in += len(payload)
        limit = exchange.lane.body_limit
        if exchange.bytes_in > limit >= 0:
            self._fail("body_too_large")
            return
        out = payload
        if exchange.head.length == CHUNKED:
            out = chunk(payload) if payload else b""
            if rest is not None:
                out += END_OF_CHUNKS
        if rest is not None:
            exchange.request_body = None
            self._held = rest
        upstream = exchange.upstream
        if upstream is None:
            exchange.unsent.append(out)
            return
        if rest is None:
            self._wait(_UPLOAD, exchange.pool.request_body, self._edge.now())
        elif self._phase == _UPLOAD:
            self._wait(_FIRST_BYTE, exchange.pool.first_byte, self._edge.now())
        if out:
            upstream.transport.write(out)

    def eof_received(self) -> bool:
        """asyncio: the client finished sending. It still gets the answer to what it asked completely."""
        self._half_closed = True
        exchange = self.exchange
        if exchange is not None:
            if exchange.request_body is not None:
                self._end(exchange, "client_closed")
                closing.reset(self._transport)
        elif self._phase == _HEAD or not self._held:
            self._end_of_requests()
        return self._transport.can_write_eof()  # TLS knows no half of a connection

    def _end_of_requests(self) -> None:
        """All complete requests are answered, and no more will come."""
        if self._held:
            self._refuse(400, "incomplete", "the connection ended in the middle of a request")
        else:
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the client is gone; so is its request to the backend."""
        self._edge.left(self)
        self._edge.wheel.forget(self)
        if self.exchange is not None:
            self._end(self.exchange, "client_closed")

    # -- the backend speaks -----------------------------------------------------------------------------------

    def upstream_ready(self, now: float) -> None:
        """The exchange has its connection, and what was held back for it is sent."""
        exchange = self.exchange
        if exchange is None:
            return
        if exchange.request_body is not None:
            self._wait(_UPLOAD, exchange.pool.request_body, now)
        else:
            self._wait(_FIRST_BYTE, exchange.pool.first_byte, now)
        if self._paused_for_upstream:
            self._paused_for_upstream = False
            self._resume_reading()

    def upstream_full(self, full: bool) -> None:
        """The backend reads too slowly (or caught up): hold the client back."""
        exchange = self.exchange
        if full:
            self._paused_for_upstream = True
            self._transport.pause_reading()
        elif self._paused_for_upstream:
            self._paused_for_upstream = False
            self._resume_reading()
        if exchange is not None and self._phase == _UPLOAD:
            pool = exchange.pool
            seconds = pool.stream_idle if full else pool.request_body
            self._wait(_UPLOAD, seconds, self._edge.now())

    def interim(self, head: ResponseHead) -> None:
        """A 1xx goes to the client at once, if its HTTP knows such."""
        exchange = self.exchange
        if exchange is not None and exchange.head.minor == 1:
            self._transport.write(compose.response_bytes(head, False, b"", None))

    def answer(self, head: ResponseHead, payload: bytes, done: bool, now: float) -> None:
        """The answer's head came, with the first of its body; `done`: that was all."""
        exchange = self.exchange
        if exchange is None:
            return
        request = exchange.head
        exchange.status = head.status
        exchange.first_byte_at = now
        if exchange.capture is not None:
            exchange.capture.head = head
        self._chunked = head.length < 0 and request.minor == 1
        self._close_after = not (
            request.keep_alive
            and exchange.request_body is None
            and (not self._half_closed or self._held)
            and not self._edge.draining
            and (head.length >= 0 or self._chunked)
        )
        persistent = b"" if request.minor == 1 else b"keep-alive"
        connection = b"close" if self._close_after else persistent
        cookie = self._edge.own_cookie(exchange, head)
        self._note(exchange, payload)
        body = self._framed(payload, done) if self._chunked else payload
        copied = len(body) <= _COPIED_BYTES
        out = compose.response_bytes(head, self._chunked, connection, cookie, body if copied else b"")
        if copied:
            sending.write(self._transport, self._descriptor, out)
        else:
            self._transport.writelines((out, body))
        self._sent(exchange, done, now)

    def answer_more(self, payload: bytes, done: bool, now: float) -> None:
        """More of the answer's body."""
        exchange = self.exchange
        if exchange is None:
            return
        self._note(exchange, payload)
        body = self._framed(payload, done) if self._chunked else payload
        if body:
            self._transport.write(body)
        self._sent(exchange, done, now)

    def _note(self, exchange: Exchange, payload: bytes) -> None:
        """Note what goes to the client."""
        exchange.bytes_out += len(payload)
        if exchange.capture is not None and payload:
            exchange.capture.add(payload)

    def _framed(self, payload: bytes, done: bool) -> bytes:
        """As chunks."""
        return (chunk(payload) if payload else b"") + (END_OF_CHUNKS if done else b"")

    def _sent(self, exchange: Exchange, done: bool, now: float) -> None:
        if done:
            self._complete(exchange, now)
        elif not self._write_paused:
            self._wait(_STREAM, exchange.pool.stream_idle, now)

    def _complete(self, exchange: Exchange, now: float) -> None:
        """The answer is sent: account for it, then go on, or close."""
        unfinished = exchange.request_body is not None
        self.exchange = None
        self._edge.account(exchange, now)
        if unfinished:
            self._close(linger=True)
        elif self._close_after or (self._half_closed and not self._held):
            self._close(linger=exchange.head.keep_alive)  # a client that did not say so may have sent more
        else:
            self._next(now)

    def _next(self, now: float) -> None:
        if self._paused_for_upstream or len(self._held) > _PIPELINE_BYTES:
            self._paused_for_upstream = False
            self._resume_reading()
        self._wait(_IDLE, self._edge.idle_seconds, now)
        if self._held and not self._write_paused:
            self._edge.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Look at what the client sent ahead. Not called directly: a long pipeline must not nest."""
        if self.exchange is None and self._held and not self._transport.is_closing():
            self._request(self._held)

    def upstream_failed(self, code: str) -> None:
        """The backend let the exchange down. Unsent, it may go where it came from; half answered, it is cut off."""
        exchange = self.exchange
        if exchange is None:
            return
        if code not in NEVER_SENT or not self.divert():
            self._fail(code)

    def divert(self) -> bool:
        """Send the exchange, of which nothing has left the edge, to the side it came from, if that is another."""
        exchange = self.exchange
        if exchange is None or exchange.retried or not self._edge.fall_back(exchange):
            return False
        exchange.pool.acquire(exchange)
        if exchange.upstream is None and self.exchange is exchange:
            self._wait(_QUEUE, exchange.pool.wait, self._edge.now())
        return True

    def switch(self, head: ResponseHead, upstream: asyncio.Transport, early: bytes) -> None:
        """The backend agreed to speak WebSocket: from here on it is a tunnel."""
        exchange = self.exchange
        if exchange is None:
            upstream.abort()
            return
        exchange.status = head.status
        now = exchange.first_byte_at = self._edge.now()
        sent_ahead, self._held = self._held, b""
        cookie = self._edge.own_cookie(exchange, head)
        out = compose.response_bytes(head, False, b"Upgrade", cookie)
        self._transport.write(out + early)
        self.exchange = None
        self._edge.account(exchange, now)
        self._edge.wheel.forget(self)
        self._edge.left(self)
        end = self._edge.tunnels.join(self._transport, upstream, exchange.pool.backend.timeouts.tunnel_idle)
        if sent_ahead:
            self._resume_reading()
            upstream.write(sent_ahead)
        if self._half_closed:
            end.eof_received()

    # -- the pace ---------------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """asyncio: the client reads more slowly than the backend sends."""
        self._write_paused = True
        self._taken = pace.taken(self._transport)
        exchange = self.exchange
        if exchange is not None:
            self._wait(_STREAM, exchange.pool.stream_idle, self._edge.now())
            if exchange.upstream is not None:
                exchange.upstream.hold()

    def resume_writing(self) -> None:
        """asyncio: the client caught up."""
        self._write_paused = False
        exchange = self.exchange
        if exchange is None:
            self._go_on()
        elif exchange.upstream is not None:
            self._wait(_STREAM, exchange.pool.stream_idle, self._edge.now())
            exchange.upstream.go_on()

    def _reads_on(self) -> bool:
        """Whether the client, whom the edge waits for, has taken something since this was asked last."""
        before, self._taken = self._taken, pace.taken(self._transport)
        return self._taken > before

    def _resume_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    # -- the end ----------------------------------------------------------------------------------------------

    def _wait(self, phase: int, seconds: float, now: float) -> None:
        """From now on the connection waits for `phase`, so long; never beyond the end of its exchange."""
        self._phase = phase
        deadline = now + seconds
        exchange = self.exchange
        if exchange is not None and exchange.ends_at < deadline:
            deadline = exchange.ends_at
        if self.slot and deadline >= (self.slot - 1) * TICK:
            self.deadline = deadline  # not before the wheel looks again: nothing to tell it
        else:
            self._edge.wheel.watch(self, deadline)

    def on_deadline(self, now: float) -> None:
        """The wheel: what this connection waited for did not come."""
        phase = self._phase
        exchange = self.exchange
        if exchange is None:
            if phase == _HEAD and self._held:
                self._refuse(408, "request_timeout", "the request did not arrive in time")
            elif self._write_paused and self._reads_on():
                self._wait(_IDLE, self._edge.idle_seconds, now)
            else:
                self._close()
            return
        if now >= exchange.ends_at:
            self._fail("backend_total_timeout")
        elif phase == _QUEUE:
            self._fail("pool_timeout")
        elif phase == _UPLOAD:
            self._fail("backend_stream_timeout" if self._paused_for_upstream else "request_timeout")
        elif phase == _FIRST_BYTE:
            self._fail("backend_first_byte_timeout")
        elif not self._write_paused:
            self._fail("backend_stream_timeout")
        elif self._reads_on():
            self._wait(_STREAM, exchange.pool.stream_idle, now)
        else:
            self._fail("client_stalled")

    def close_idle(self) -> None:
        """Draining: close if nothing is under way."""
        if self.exchange is None:
            self._close()

    def abort(self) -> None:
        """Draining took too long."""
        if self.exchange is not None:
            self._end(self.exchange, "shutdown")
            closing.reset(self._transport)
        else:
            self._transport.abort()

    def _fail(self, code: str) -> None:
        """End the exchange with an answer of the edge's own; or by cutting it off, where it was half answered."""
        status, message = FAILURES[code]
        self._cut_off(status, code, message)

    def _cut_off(self, status: int, code: str, message: str) -> None:
        exchange = self.exchange
        if exchange is None:
            return
        if exchange.status:
            self._end(exchange, code)
            closing.reset(self._transport)  # never a clean end: what was sent is not the whole
            return
        exchange.status = status
        head_only = exchange.head.method == b"HEAD"
        request_id = exchange.request_id
        self._end(exchange, code)
        self._own_answer(status, code, message, request_id, head_only=head_only)

    def _end(self, exchange: Exchange, code: str) -> None:
        """Account for an exchange that did not end well, and let its backend connection go."""
        self.exchange = None
        exchange.failure = code
        upstream = exchange.upstream
        if upstream is not None:
            exchange.upstream = None
            upstream.abandon(at_fault=code in TOO_SLOW)
        else:
            exchange.pool.give_up(exchange)
        self._edge.account(exchange, self._edge.now())

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer what is no request at all, and close."""
        self._held = b""
        request_id = self._edge.new_request_id()
        self._edge.refused(code, status, request_id)
        self._own_answer(status, code, message, request_id, head_only=False)

    def _own_answer(
        self, status: int, code: str, message: str, request_id: bytes, *, head_only: bool
    ) -> None:
        if self._transport.is_closing():
            return
        if status != 499:
            self._transport.write(
                compose.own_answer(
                    status,
                    code,
                    message,
                    request_id,
                    head_only=head_only,
                    retry_after=1 if status in (429, 503) else 0,
                )
            )
        self._close(linger=True)

    def _close(self, *, linger: bool = False) -> None:
        """Leave the connection to its end."""
        self._held = b""
        if closing.close(self._transport, self._edge, linger=linger and not self._half_closed):
            self._edge.wheel.forget(self)
            self._edge.left(self)


_SHADOW: Final = b"x-banyan-shadow"
_NOT_CONNECTED: Final = asyncio.Transport()
_NOTHING_TOLD: Final[tuple[bytes | None, bytes]] = (None, b"")
