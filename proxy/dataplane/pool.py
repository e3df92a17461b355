# SPDX-License-Identifier: AGPL-3.0-or-later
"""The connections to one backend: the last one used first, bounded, with bounded waiting.

An exchange takes an idle connection that cannot be stale, else waits in line while a new one is made (whichever
comes first serves the first in line). Idle ones are kept well below the time after which Puma hangs up (20 s);
what may not be repeated takes only one that was used a moment ago.

Of several addresses those take turns that are up and whose circuit is closed; without any such the pool is not
`available`, and requests that have another side go there. What has none is tried all the same.
"""

from __future__ import annotations

import asyncio
import errno
import math
from collections import Counter, deque
from collections.abc import Callable
from operator import and_
from typing import TYPE_CHECKING, Final, cast

import structlog

from proxy.dataplane.breaker import Circuit, State
from proxy.dataplane.upstream import UpstreamConnection
from proxy.telemetry.metrics import series

if TYPE_CHECKING:
    from proxy.dataplane.exchange import Exchange
    from proxy.routing.table import Backend

# A request that may not be repeated takes a pooled connection only if it was idle for less than this part of the
# idle time: a backend that is about to hang up has then several seconds to do so unharmed.
_SURE_PART: Final = 0.5
# Why no connection can be made that says nothing of the backend: no descriptor, port or memory is left here.
_OWN_SHORTAGES: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}
)

log = structlog.get_logger()


class Pool:
    """Connections to `backend`. `available`: some address is up and its circuit admits requests.

    `wait`, `request_body`, `first_byte`, `stream_idle` and `total` are the backend's patience in seconds. `counters`
    takes how often a circuit opened.
    """

    def __init__(
        self,
        backend: Backend,
        loop: asyncio.AbstractEventLoop,
        now: Callable[[], float],
        counters: Counter[str],
    ) -> None:
        self.backend = backend
        self.available = True
        patience = backend.timeouts.connect + backend.timeouts.first_byte
        self.circuits = [Circuit(backend.breaker, patience) for _ in backend.addresses]
        self._up = [True] * len(backend.addresses)
        self._loop = loop
        self.now = now
        self._counters = counters
        self._idle: list[UpstreamConnection] = []
        self._all: set[UpstreamConnection] = set()
        self._waiting: deque[Exchange] = deque()
        self._connecting: set[asyncio.Task[None]] = set()
        self._turn = 0
        self._retired = False
        self._idle_seconds = backend.pool.idle
        self._max_idle = backend.pool.max_idle
        self.wait = backend.pool.wait
        timeouts = backend.timeouts
        self.request_body = timeouts.request_body
        self.first_byte = timeouts.first_byte
        self.stream_idle = timeouts.stream_idle
        self.total = math.inf if timeouts.total is None else timeouts.total
        self.authority = backend.addresses[0].authority.encode()

    def serves(self, backend: Backend) -> bool:
        """Whether it can go on for `backend`, a later generation's."""
        mine = self.backend
        return (backend.addresses, backend.timeouts, backend.breaker, backend.pool) == (
            mine.addresses,
            mine.timeouts,
            mine.breaker,
            mine.pool,
        )

    def retire(self) -> None:
        """Its backend is gone from the configuration: serve what is under way, keep nothing."""
        self._retired = True
        for connection in self._idle:
            connection.transport.close()
        self._idle.clear()

    def is_empty(self) -> bool:
        """Whether nothing is under way any more."""
        return not (self._all or self._waiting or self._connecting)

    def set_health(self, up: list[bool]) -> None:
        """What health checks say of each address."""
        if len(up) == len(self._up):
            self._up[:] = up
            self._judge()

    def _judge(self) -> None:
        now = self.now()
        self.available = any(
            up and circuit.admits(now) for up, circuit in zip(self._up, self.circuits, strict=True)
        )

    # -- what is learnt of an address -------------------------------------------------------------------------

    def sent(self, address: int) -> None:
        """A request is on its way to an address that failed lately."""
        self.circuits[address].sent(self.now())
        self._judge()

    def answered(self, address: int) -> None:
        """An address that failed lately answered."""
        if self.circuits[address].answered(self.now()):
            self._judge()
            log.warning("circuit closed", backend=self.backend.name, url=self._authority(address))

    def failed(self, address: int, *, certain: bool = False) -> None:
        """An address failed a request before it answered; `certain`: no connection could be made."""
        was_closed = self.circuits[address].state is State.CLOSED
        if not self.circuits[address].failed(self.now(), certain=certain):
            return
        self._judge()
        if was_closed:
            self._counters[series("banyan_edge_breaker_opened_total", backend=self.backend.name)] += 1
            log.warning("circuit opened", backend=self.backend.name, url=self._authority(address))
        for connection in [one for one in self._idle if one.address == address]:
            connection.transport.close()
            self._idle.remove(connection)
        if not self.available:
            for waiter in tuple(self._waiting):
                waiter.client.divert()

    def undecided(self, address: int) -> None:
        """A request ended before the address could answer, and not by its fault."""
        self.circuits[address].undecided(self.now())
        self._judge()

    def is_open(self) -> bool:
        """Whether circuits leave nothing of it: none that is closed belongs to an address that is up."""
        closed = [circuit.state is State.CLOSED for circuit in self.circuits]
        return not all(closed) and not any(map(and_, closed, self._up))

    def _authority(self, address: int) -> str:
        return self.backend.addresses[address].authority

    # -- connections ------------------------------------------------------------------------------------------

    def acquire(self, exchange: Exchange) -> None:
        """Give `exchange` a connection, now or later; or fail it."""
        connection = self._take_idle(exchange)
        if connection is not None:
            connection.begin(exchange, exchange.started_at)
            return
        limits = self.backend.pool
        if len(self._waiting) >= limits.waiting:
            exchange.client.upstream_failed("pool_full")
            return
        self._waiting.append(exchange)
        if len(self._all) + len(self._connecting) < limits.max_connections:
            self._start_connecting(exchange)

    def _take_idle(self, exchange: Exchange) -> UpstreamConnection | None:
        if not self._idle or exchange.retried:  # what met one stale connection shall not meet the next
            return None
        oldest = exchange.started_at - self._idle_seconds * (
            1.0 if exchange.may_be_repeated() else _SURE_PART
        )
        while self._idle and self._idle[-1].idle_since >= oldest:  # the others are older still
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    def give_up(self, exchange: Exchange) -> None:
        """`exchange` waits no longer."""
        try:
            self._waiting.remove(exchange)
        except ValueError:
            return

    def release(self, connection: UpstreamConnection, now: float) -> None:
        """`connection` finished an exchange cleanly: to the next in line, or among the idle ones."""
        if self._waiting:
            connection.begin(self._waiting.popleft(), now)
            return
        circuit = connection.circuit
        if circuit.alert and circuit.state is State.TRIAL and connection.fresh:
            self.undecided(
                connection.address
            )  # whom it was made for is served already: it proves nothing yet
        is_open = circuit.alert and circuit.state is State.OPEN
        if is_open or self._retired or len(self._idle) >= self._max_idle:
            connection.transport.close()
            return
        connection.idle_since = now
        self._idle.append(connection)

    def lost(self, connection: UpstreamConnection) -> None:
        """`connection` is gone, or is a tunnel now."""
        self._all.discard(connection)
        if connection.exchange is None and connection in self._idle:
            self._idle.remove(connection)
        if self._waiting and not self._connecting and len(self._all) < self.backend.pool.max_connections:
            self._start_connecting(self._waiting[0])

    def _start_connecting(self, exchange: Exchange) -> None:
        order = self._order()
        self.sent(order[0])
        task = self._loop.create_task(self._connect(exchange, order))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, exchange: Exchange, order: list[int]) -> None:
        """Connect to one address after the other until one accepts; else fail `exchange` if it still waits."""
        failure = "backend_unreachable"
        for address in order:
            try:
                async with asyncio.timeout(self.backend.timeouts.connect):
                    connection = await self._open(address)
            except OSError as error:
                if isinstance(error, TimeoutError):
                    failure = "backend_connect_timeout"
                if error.errno not in _OWN_SHORTAGES:
                    self.failed(address, certain=True)
                continue
            self._all.add(connection)
            self.release(connection, self.now())
            return
        # Whoever waits for a connection that others hold may still get it; without any, nobody will.
        hopeless = [exchange] if self._all or len(self._connecting) > 1 else list(self._waiting)
        for waiter in hopeless:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
                waiter.client.upstream_failed(failure)

    async def _open(self, address: int) -> UpstreamConnection:
        at = self.backend.addresses[address]
        connection = UpstreamConnection(self, address)
        await self._loop.create_connection(lambda: cast("asyncio.Protocol", connection), at.host, at.port)
        return connection

    def _order(self) -> list[int]:
        """All addresses: in turn, those first that are up and whose circuit admits requests."""
        count = len(self._up)
        self._turn = (self._turn + 1) % count
        now = self.now()
        turns = [(self._turn + step) % count for step in range(count)]
        return sorted(turns, key=lambda at: (not self._up[at], not self.circuits[at].admits(now)))

    def sweep(self) -> None:
        """Close what was idle too long, see which circuits admit again. To be called every second or oftener."""
        if not self.available:
            self._judge()
        oldest = self.now() - self.backend.pool.idle
        stale = 0
        while stale < len(self._idle) and self._idle[stale].idle_since < oldest:
            self._idle[stale].transport.close()
            stale += 1
        del self._idle[:stale]

    async def close(self) -> None:
        """Close every connection and stop connecting."""
        for task in tuple(self._connecting):
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for connection in tuple(self._all):
            connection.transport.abort()
        self._idle.clear()

    def sizes(self) -> tuple[int, int, int]:
        """(all, idle, waiting)."""
        return len(self._all), len(self._idle), len(self._waiting)
