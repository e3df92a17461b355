# SPDX-License-Identifier: AGPL-3.0-or-later
"""What all connections of a worker share: the running generation, pools, timers, counters, and the drain."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypedDict, cast

import structlog

from proxy.dataplane import compose, proxyprotocol
from proxy.dataplane.client import ClientConnection
from proxy.dataplane.closing import Closing
from proxy.dataplane.exchange import Exchange
from proxy.dataplane.forwarded import who_counts
from proxy.dataplane.pool import Pool
from proxy.dataplane.scanner import make_scanner
from proxy.dataplane.timers import TICK, Wheel
from proxy.dataplane.tunnel import Tunnels
from proxy.model import HeadLimits
from proxy.routing.lane import Lane, Reason, Verdict
from proxy.routing.split import choose, headers_looked_at
from proxy.routing.visitor import Visitor, needs_no_cookie
from proxy.telemetry.crowd import Census
from proxy.telemetry.metrics import Meter, Placing, Recorder, Snapshot, series
from proxy.telemetry.stalls import Stalls

if TYPE_CHECKING:
    from proxy.dataplane.capture import Observer
    from proxy.dataplane.heads import RequestHead, ResponseHead
    from proxy.dataplane.proxyprotocol import Introduction
    from proxy.routing.subject import SubjectReader
    from proxy.routing.table import Backend, Table
    from proxy.telemetry.log import AccessLog

_REQUEST_ID: Final = re.compile(rb"[0-9A-Za-z_.@:+/=-]{1,128}\Z")
_DRAIN_IDLE_SECONDS: Final = 1.0
_PLACINGS: Final[dict[Reason, Placing]] = {Reason.SHARE: "drawn", Reason.UNHEALTHY: "fallen"}

log = structlog.get_logger()


class Generation:
    """A table with what this worker needs to run it. `pools` and the table's backends go by the same index."""

    __slots__ = ("_accounts", "_lanes", "_matcher", "pools", "scanner", "table")

    def __init__(self, table: Table, pools: list[Pool]) -> None:
        self.table = table
        limits = table.limits
        noted = headers_looked_at(table) | {b"sec-websocket-key"}
        self.scanner = make_scanner(HeadLimits(limits.head, limits.target, limits.headers), noted)
        self.pools = pools
        self._matcher = table.matcher
        self._lanes: dict[int, Lane] = {}
        self._accounts: dict[Verdict, Account] = {}

    def lane(self, method: bytes, path: bytes) -> Lane:
        """The lane of a request; where Rails has no route, the one for that."""
        index = self._matcher.find(method, path)
        lane = self._lanes.get(index)
        if lane is None:
            table = self.table
            lane = self._lanes[index] = Lane(table, table.unmatched if index < 0 else table.routes[index])
        return lane

    def account(self, exchange: Exchange, recorder: Recorder, log: AccessLog) -> Account:
        """Where an exchange is counted: its route, on the side that carried it, for its reason."""
        verdict = exchange.verdict
        account = self._accounts.get(verdict)
        if account is None:
            route, reason, side = exchange.lane.route, verdict.reason, verdict.side
            group = route.group.name if route.group else ""
            account = self._accounts[verdict] = Account(
                recorder.meter(route.name, group, side, _PLACINGS.get(reason, "kept")),
                series("banyan_edge_decisions_total", reason=reason, side=side),
                log.place(route.name, group, side, reason, self.table.generation),
                recorder.census(group, side, route.group.epoch)
                if route.group is not None and reason is Reason.SHARE
                else None,
            )
        return account


class Account:
    """Where exchanges of one kind are counted, and what their log lines have in common."""

    __slots__ = ("census", "decisions", "meter", "place")

    def __init__(self, meter: Meter, decisions: str, place: str, census: Census | None) -> None:
        self.meter = meter
        self.decisions = decisions
        self.place = place
        self.census = census


class _Handshake(TypedDict, total=False):
    """What asyncio is told where connections come by TLS."""

    ssl: ssl.SSLContext
    ssl_handshake_timeout: float
    ssl_shutdown_timeout: float


class Edge:
    """The shared state of one worker's data plane."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        table: Table,
        reader: SubjectReader,
        access_log: AccessLog,
        id_prefix: str,
    ) -> None:
        self.loop = loop
        self.now: Callable[[], float] = time.monotonic  # the loop's own clock may count whole milliseconds
        self.wheel = Wheel(self.now)
        self.recorder = Recorder()
        self.stalls = Stalls(self.now)
        self.connections: set[ClientConnection | Closing | Introduction] = set()
        self.limits = table.limits
        self.idle_seconds = table.limits.idle
        self._peers: Counter[str] = Counter()
        self._tls: ssl.SSLContext | None = None
        self.draining = False
        self.observer: Observer | None = None
        self.mark = b""  # on requests by which this edge compares; empty: none
        self._gone = asyncio.Event()
        self._reader = reader
        self._access_log = access_log
        self._id_prefix = id_prefix
        self._ids = 0
        self.tunnels = Tunnels(self.wheel)
        self._retired: list[Pool] = []
        self._servers: list[tuple[asyncio.Server, socket.socket]] = []
        self._warned_of_forwarding = False
        self.generation = Generation(table, [self._pool(backend) for backend in table.backends])
        self._tick_due = self.now() + TICK
        self._tick: asyncio.TimerHandle = loop.call_later(TICK, self._sweep)

    @property
    def table(self) -> Table:
        """The table that new requests are decided with."""
        return self.generation.table

    # -- configuration ----------------------------------------------------------------------------------------

    def install(self, table: Table) -> None:
        """Switch to `table`: new requests see it at once, those under way keep theirs. Unchanged backends keep
        their connections."""
        before = {pool.backend.name: pool for pool in self.generation.pools}
        pools: list[Pool] = []
        for backend in table.backends:
            pool = before.get(backend.name)
            if pool is not None and pool.serves(backend):
                del before[backend.name]
            else:
                pool = self._pool(backend)
            pools.append(pool)
        for pool in before.values():
            pool.retire()
            self._retired.append(pool)
        self.generation = Generation(table, pools)
        self.limits = table.limits
        self.idle_seconds = table.limits.idle

    def _pool(self, backend: Backend) -> Pool:
        return Pool(backend, self.loop, self.now, self.recorder.counters)

    def set_health(self, up: dict[str, list[bool]]) -> None:
        """What the health checks say: backend → whether each of its addresses answers."""
        for pool in self.generation.pools:
            if (answers := up.get(pool.backend.name)) is not None:
                pool.set_health(answers)

    # -- decisions --------------------------------------------------------------------------------------------

    def decide(self, head: RequestHead, client: ClientConnection, address: str) -> Exchange:
        """Route a request and choose its side: an exchange under the generation that runs now."""
        generation = self.generation
        lane = generation.lane(head.method, head.path)
        verdict = lane.settled
        visitor: Visitor | None = None
        if verdict is None or not needs_no_cookie(lane, self._reader, head.fields):
            visitor = Visitor(lane, self._reader, head.fields, head.query, address, None)
            verdict = choose(lane, head.method, head.path, head.fields, visitor)
            if verdict.backend != lane.from_backend and not generation.pools[verdict.backend].available:
                verdict = lane.fallen()
        said = head.forwarding.get(b"x-request-id")
        request_id = said if said is not None and _REQUEST_ID.match(said) else self.new_request_id()
        exchange = Exchange(client, head, generation, lane, verdict, request_id, self.now())
        if visitor is not None:
            exchange.subject = visitor.number
            exchange.set_cookie = visitor.cookie_to_set()
        if self.observer is not None:
            exchange.capture = self.observer.began(exchange)
        return exchange

    def new_request_id(self) -> bytes:
        """An id no other request has: the worker's random prefix and a count."""
        self._ids += 1
        return f"{self._id_prefix}{self._ids:08x}".encode()

    def fall_back(self, exchange: Exchange) -> bool:
        """Decide a request anew whose backend cannot be reached: for the side it came from. False: it is there."""
        lane = exchange.lane
        if lane.from_backend == exchange.verdict.backend:
            return False
        exchange.pool.give_up(exchange)
        exchange.retried = True
        exchange.go(lane.fallen())
        return True

    def own_cookie(self, exchange: Exchange, answer: ResponseHead) -> bytes | None:
        """The line that sets the edge's own cookie; None where there is nothing to set, or the answer is for all."""
        value = exchange.set_cookie
        if value is None or b"public" in answer.fields.get(b"cache-control", b""):
            return None
        client = exchange.client
        proto = exchange.head.forwarding.get(b"x-forwarded-proto") if client.trusted else None
        return compose.bucket_cookie(value, secure=client.secure or proto == b"https")

    # -- accounts ---------------------------------------------------------------------------------------------

    def account(self, exchange: Exchange, now: float) -> None:
        """Count and log an exchange that ended."""
        seconds = now - exchange.started_at
        failure = exchange.failure
        account = exchange.generation.account(exchange, self.recorder, self._access_log)
        meter, census = account.meter, account.census
        faulty = bool(failure) and not failure.startswith("client_")
        at = meter.add(exchange.status, seconds, faulty, exchange.bytes_in, exchange.bytes_out)
        if census is not None and exchange.subject:
            census.add(exchange.subject, at, faulty or exchange.status >= 500)
        counters = self.recorder.counters
        counters[account.decisions] += 1
        if failure:
            counters[series("banyan_edge_failures_total", code=failure, side=meter.side)] += 1
        if exchange.retried:
            counters[series("banyan_edge_retries_total", side=meter.side)] += 1
        if self._access_log.on:
            first_byte = exchange.first_byte_at - exchange.started_at if exchange.first_byte_at else 0.0
            self._access_log.line(
                account.place,
                exchange.request_id.decode(),
                exchange.head.method.decode(),
                exchange.status,
                failure,
                seconds,
                first_byte,
                exchange.bytes_in,
                exchange.bytes_out,
            )
        if exchange.capture is not None and self.observer is not None:
            self.observer.ended(exchange, exchange.capture)

    def refused(self, code: str, status: int, request_id: bytes) -> None:
        """Count and log what was no request. In the access log, for that bears any number of them."""
        self.recorder.counters[series("banyan_edge_refused_total", code=code)] += 1
        if self._access_log.on:
            place = self._access_log.place("", "", "", "refused", self.table.generation)
            self._access_log.line(place, request_id.decode(), "", status, code, 0.0, 0.0, 0, 0)

    def dropped(self, code: str) -> None:
        """Count a connection that was ended before it could ask anything. No log: there may be many."""
        self.recorder.counters[series("banyan_edge_refused_total", code=code)] += 1

    def untrusted_forwarding(self) -> None:
        """A peer that is not trusted spoke of forwarding: ignored, counted, and said once, for the first one is
        usually the operator's own TLS terminator."""
        self.recorder.counters["banyan_edge_untrusted_forwarded_total"] += 1
        if not self._warned_of_forwarding:
            self._warned_of_forwarding = True
            log.warning(
                "forwarding headers ignored",
                why="they came from a peer that is not in trusted_proxies",
                remedy="if a proxy of yours stands before the edge, name its network in trusted_proxies",
            )

    def snapshot(self) -> Snapshot:
        """All counts, and how many connections there are."""
        gauges: dict[str, float] = {
            "banyan_edge_connections": len(self.connections),
            "banyan_edge_tunnels": len(self.tunnels),
        }
        for pool in self.generation.pools:
            name = series("banyan_edge_breaker_open", backend=pool.backend.name)
            gauges[name] = float(pool.is_open())
            for state, count in zip(("open", "idle", "waiting"), pool.sizes(), strict=True):
                gauges[series("banyan_edge_backend_connections", backend=pool.backend.name, state=state)] = (
                    count
                )
        self.recorder.counters["banyan_edge_unreadable_cookies_total"] = self._reader.undecryptable
        self.recorder.counters["banyan_edge_log_lines_lost_total"] = self._access_log.lost
        return self.recorder.snapshot(gauges)

    def reopen_log(self) -> None:
        """Open the access log anew."""
        self._access_log.reopen()

    # -- life -------------------------------------------------------------------------------------------------

    async def listen(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Accept connections from a listening socket; with `tls`, by TLS."""
        self._tls = tls
        server = await self.loop.create_server(
            self._new_connection, sock=sock, backlog=1024, **self._handshake()
        )
        self._servers.append((server, sock))

    def _handshake(self) -> _Handshake:
        if self._tls is None:
            return {}
        return {
            "ssl": self._tls,
            "ssl_handshake_timeout": self.limits.head_time,
            "ssl_shutdown_timeout": self.limits.linger,
        }

    def _new_connection(self) -> asyncio.Protocol:
        if self.table.proxy_protocol and self._tls is None:
            return proxyprotocol.Introduction(self)
        return cast("asyncio.Protocol", ClientConnection(self))

    def arrived(self, connection: ClientConnection) -> bool:
        """A client is connected. False: its address has as many connections already as it may."""
        self.connections.add(connection)
        most = self.limits.connections_per_peer
        if most is None or connection.trusted or not connection.peer:
            return True
        peer = connection.counted_as = who_counts(connection.peer)
        self._peers[peer] += 1
        return self._peers[peer] <= most

    def _sweep(self) -> None:
        now = self.now()
        self.stalls.note("late", now - self._tick_due)
        self._tick_due = now + TICK
        self._tick = self.loop.call_later(TICK, self._sweep)
        with self.stalls.during("sweep"):
            self._look_around()

    def _look_around(self) -> None:
        self.wheel.sweep()
        for pool in self.generation.pools:
            pool.sweep()
        self._retired = [pool for pool in self._retired if not pool.is_empty()]
        self._access_log.flush()

    async def drain(self, grace: float) -> None:
        """Take no more connections, finish what is under way, close. Cut off what is not done after `grace` s.

        An idle client may be about to send: it gets a moment to do so and is answered with `Connection: close`.
        """
        self.draining = True
        for server, sock in self._servers:
            await self._accept_the_rest(sock)
            server.close()
        patience = min(grace, _DRAIN_IDLE_SECONDS)
        if not await self._all_gone(patience):
            for connection in tuple(self.connections):
                connection.close_idle()
            await self._all_gone(grace - patience)
        for connection in tuple(self.connections):
            connection.abort()
        self.tunnels.close()
        await asyncio.sleep(0)

    async def _all_gone(self, seconds: float) -> bool:
        """Whether the last connection closes within `seconds`."""
        self._gone.clear()
        if not self.connections:
            return True
        try:
            await asyncio.wait_for(self._gone.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def left(self, connection: ClientConnection | Closing | Introduction) -> None:
        """A client's connection is closed, or a tunnel now, or another protocol's."""
        self.connections.discard(connection)
        if isinstance(connection, ClientConnection) and connection.counted_as:
            peer, connection.counted_as = connection.counted_as, ""
            self._peers[peer] -= 1
            if not self._peers[peer]:
                del self._peers[peer]
        if not self.connections:
            self._gone.set()

    async def _accept_the_rest(self, sock: socket.socket) -> None:
        """Connections that the kernel made already must not be reset with the listening socket."""
        with contextlib.suppress(BlockingIOError, OSError):
            while True:
                connection, _ = sock.accept()
                await self.loop.connect_accepted_socket(self._new_connection, connection, **self._handshake())

    async def close(self) -> None:
        """Let go of timers, pools and the log."""
        self._tick.cancel()
        for pool in (*self.generation.pools, *self._retired):
            await pool.close()
        self._access_log.flush()
