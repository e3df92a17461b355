# SPDX-License-Identifier: AGPL-3.0-or-later
"""A worker's part in shadowing: choose exchanges, keep their answers, hand them over. Subscribed to the data plane.

In a request's own path it decides by a dictionary and a count; it writes to nobody there (see experiment.queue).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from proxy.dataplane.capture import Capture, Room
from proxy.experiment.budget import Rate
from proxy.experiment.lift import Dropped, Lifted, WriteBegan, WriteEnded, frame_head
from proxy.experiment.outcome import Why
from proxy.experiment.queue import Outlet
from proxy.experiment.safety import METHODS, Sampler, is_write, other_side
from proxy.experiment.seen import says_something_of_a_side
from proxy.routing.lane import Reason
from proxy.telemetry.metrics import series

if TYPE_CHECKING:
    from proxy.dataplane.exchange import Exchange
    from proxy.routing.lane import Lane
    from proxy.routing.table import Table

_REPORT_EVERY: Final = 1.0
_NEVER_SHADOWED: Final = frozenset(
    {Reason.KEEP_QUERY, Reason.KEEP_SESSION, Reason.KEEP_HEADER, Reason.UNHEALTHY, Reason.KILL}
)


class _Write(Capture):
    """A write under way: nothing of its answer is kept."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        super().__init__(0, _NO_ROOM)
        self.complete = False
        self.number = number


_NO_ROOM: Final = Room(0)


class _Chances:
    """What is asked of a lane for each of its requests. `others`: who may be asked too, by who answers."""

    __slots__ = ("others", "percent", "route", "writes")

    def __init__(self, lane: Lane) -> None:
        table, route = lane.table, lane.route
        self.route = route.name
        self.percent = 0.0 if route.group is None else route.group.shadow
        self.writes = is_write(route, b"GET")
        self.others: dict[int, int] = {}
        for backend in table.backends:
            other = other_side(table, route, b"GET", backend.index)
            if other is not None:
                self.others[backend.index] = other


class Lifting:
    """The observer of one worker's data plane. `counters` are the worker's."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        path: str,
        table: Table,
        counters: Counter[str],
        *,
        fresh: bool,
    ) -> None:
        """`path`: the socket of the process that compares. `fresh`: nobody was served by this worker before."""
        self._loop = loop
        self._counters = counters
        self._outlet = Outlet(loop, path, table.shadowing.queue, self._lost)
        self._sampler = Sampler()
        self._room = Room(table.shadowing.queue)
        self._writes = 0
        self._lost_at = 0.0
        self._table = table
        self._active = False
        self._rates: list[Rate] = []  # by backend
        self._chances: dict[Lane, _Chances] = {}
        self._body_limit = 0
        self._dropped: Counter[tuple[int, int, str]] = Counter()
        self._report: asyncio.TimerHandle | None = None
        self.install(table)
        if fresh:
            self._lost_at = 0.0

    @property
    def wanted(self) -> bool:
        """Whether anything is compared."""
        return self._active

    @property
    def queued(self) -> int:
        """Bytes that wait to be handed over."""
        return self._outlet.queued

    def install(self, table: Table) -> None:
        """Go on with another configuration."""
        was_active, self._active = self._active, any(group.shadow for group in table.groups)
        before = {
            backend.name: rate for backend, rate in zip(self._table.backends, self._rates, strict=False)
        }
        self._table = table
        now = time.monotonic()
        if self._active and not was_active:
            self._lost_at = now  # what was written until now was not reported
        shadowing = table.shadowing
        self._room.free += shadowing.queue - self._outlet.limit
        self._outlet.limit = shadowing.queue
        self._body_limit = shadowing.body
        self._chances.clear()
        self._rates = []
        for backend in table.backends:
            wanted = backend.shadow.rate if backend.shadow.concurrency else 0.0
            rate = before.get(backend.name)
            self._rates.append(Rate(wanted, now) if rate is None or rate.rate != wanted else rate)

    # -- what the data plane says -------------------------------------------------------------------------------

    def began(self, exchange: Exchange) -> Capture | None:
        """Choose."""
        if not self._active:
            return None
        head, verdict = exchange.head, exchange.verdict
        chances = self._chances_of(exchange.lane)
        if head.method in METHODS:
            if chances.writes:
                return self._write_began(exchange)
        elif is_write(exchange.lane.route, head.method):
            return self._write_began(exchange)
        else:
            return None
        other = chances.others.get(verdict.backend)
        if other is None or head.length != 0 or head.upgrade or verdict.reason in _NEVER_SHADOWED:
            return None
        if not self._sampler.takes(chances.route, chances.percent):
            return None
        rate = self._rates[other]
        if not rate.takes(exchange.started_at):
            self._drop(exchange, Why.BUDGET)
            return None
        return Capture(self._body_limit, self._room)

    def _chances_of(self, lane: Lane) -> _Chances:
        """What may become of the requests of a lane."""
        chances = self._chances.get(lane)
        if chances is None:
            chances = self._chances[lane] = _Chances(lane)
        return chances

    def ended(self, exchange: Exchange, capture: Capture) -> None:
        """Hand over."""
        now = time.monotonic()
        if isinstance(capture, _Write):
            self._send_write(WriteEnded(capture.number, now))
            return
        body, size = capture.pieces, capture.size
        capture.release()
        head, verdict = capture.head, exchange.verdict
        status = 0 if head is None else head.status
        other = self._chances_of(exchange.lane).others.get(verdict.backend)
        if other is None or status == 101 or not says_something_of_a_side(exchange.failure):
            return
        table = exchange.generation.table
        if not self._active or not self._still_shadowed(exchange):
            return
        if not capture.complete and exchange.bytes_out <= self._body_limit:
            self._drop(exchange, Why.OVERFLOW)
            return
        lifted = Lifted(
            table.generation,
            exchange.lane.route.index,
            verdict.backend,
            other,
            exchange.request_id,
            time.time() - (now - exchange.started_at),
            exchange.started_at,
            now,
            exchange.unsent[0],
            status,
            b"" if head is None else head.block,
            exchange.failure,
            capture.complete,
            self._lost_at,
        )
        if self._outlet.send(frame_head(lifted, size), body, size):
            self._counters["banyan_edge_shadow_lifted_total"] += 1
        else:
            self._drop(exchange, Why.OVERFLOW)

    def _still_shadowed(self, exchange: Exchange) -> bool:
        """Whether the configuration that runs now compares the group; it may have been taken out meanwhile."""
        group = exchange.lane.route.group
        if exchange.generation.table is self._table or group is None:
            return True
        name = group.name
        return any(one.name == name and one.shadow and not one.kill for one in self._table.groups)

    # -- writes -------------------------------------------------------------------------------------------------

    def _write_began(self, exchange: Exchange) -> Capture:
        self._writes += 1
        head = exchange.head
        self._send_write(
            WriteBegan(
                self._writes,
                exchange.generation.table.generation,
                exchange.lane.route.index,
                time.monotonic(),
                head.target,
                head.fields.get(b"cookie", b""),
            )
        )
        return _Write(self._writes)

    def _send_write(self, message: WriteBegan | WriteEnded) -> None:
        if not self._outlet.tell(frame_head(message)):
            self._lost_at = time.monotonic()

    # -- losses -------------------------------------------------------------------------------------------------

    def _lost(self, messages: int) -> None:
        """The process that compares went away with what it had not read."""
        self._lost_at = time.monotonic()
        if messages:
            self._counters[series("banyan_edge_shadow_dropped_total", reason="lost")] += messages

    def _drop(self, exchange: Exchange, why: Why) -> None:
        """Count what is not handed over, and say so once a second, by route."""
        self._counters[series("banyan_edge_shadow_dropped_total", reason=why)] += 1
        self._dropped[exchange.generation.table.generation, exchange.lane.route.index, why] += 1
        if self._report is None:
            self._report = self._loop.call_later(_REPORT_EVERY, self._report_drops)

    def _report_drops(self) -> None:
        self._report = None
        dropped, self._dropped = self._dropped, Counter()
        for (generation, route, why), count in dropped.items():
            self._outlet.tell(frame_head(Dropped(generation, route, why, count)))

    def close(self) -> None:
        """Hand over no more."""
        if self._report is not None:
            self._report.cancel()
        self._outlet.close()
