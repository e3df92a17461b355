# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lifted exchanges in, comparisons out: wait for the budget, ask the other side, see whether a write came between.

    take ─→ waiting (by backend; bounded in bytes and age) ─→ asked (budget) ─→ settled ─→ compared ─→ kept

Everything that was taken ends in an outcome or a counted drop.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from proxy.config.written import Repeat
from proxy.experiment.ask import Asker, repeated
from proxy.experiment.budget import Budget, Rate
from proxy.experiment.lift import Dropped, Lifted, Message, WriteBegan, WriteEnded
from proxy.experiment.observation import Observation, Pair
from proxy.experiment.outcome import Comparison, Outcome, Why
from proxy.experiment.races import Races, Touch, domain_of, records_of
from proxy.experiment.safety import is_kept, other_side
from proxy.experiment.seen import asked_of, decided_alone, fields_of, observed, role_of, served, subject_of
from proxy.telemetry.metrics import series

if TYPE_CHECKING:
    from proxy.routing.subject import SubjectReader
    from proxy.routing.table import Backend, Route, Table

OLDEST: Final = 5.0
"""Seconds after which it is no use to ask: too much may have changed."""

_SETTLE: Final = 0.1  # what other workers report of writes may come a moment later than the answer
_GENERATIONS: Final = 8


class Compares(Protocol):
    """A `compare.Comparer`."""

    def compare(self, pair: Pair) -> Comparison:
        """What the pair came to."""
        ...


class Keeps(Protocol):
    """Where comparisons go (`tally.Tally`)."""

    def add(self, pair: Pair, comparison: Comparison) -> None:
        """Keep one."""
        ...

    def add_dropped(self, route: str, group: str, served: str, role: str, why: Why, at: float) -> None:
        """Keep that one was not made."""
        ...


class Learns(Protocol):
    """What finds out what differs by itself (`noise.NoiseLearner`)."""

    def add(self, route: str, comparison: Comparison) -> None:
        """Two answers of the old side."""
        ...

    def add_raw(self, route: str, comparison: Comparison) -> None:
        """Answers of both sides."""
        ...


class _Item:
    """One exchange on its way."""

    __slots__ = ("body", "lifted", "route", "size", "table")

    def __init__(self, table: Table, route: Route, lifted: Lifted, body: bytes) -> None:
        self.table = table
        self.route = route
        self.lifted = lifted
        self.body = body
        self.size = len(body) + len(lifted.request) + len(lifted.block)

    @property
    def other(self) -> Backend:
        return self.table.backends[self.lifted.other]


class Mirror:
    """See the module. `now` is the machine's monotonic clock, `wall` seconds since 1970; `blind`: it may be that
    writes passed just before this began. `failed` is told of what a comparison failed with: a fault of ours."""

    def __init__(
        self,
        *,
        reader: SubjectReader,
        mark: bytes,
        keeps: Keeps,
        learns: Learns | None,
        now: Callable[[], float],
        wall: Callable[[], float],
        blind: bool,
        failed: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.held = 0
        self._reader = reader
        self._mark = mark
        self._keeps = keeps
        self._learns = learns
        self._now = now
        self._wall = wall
        self._failed = failed
        self._tables: dict[int, Table] = {}
        self._compares: Compares | None = None
        self._races = Races(now() if blind else now() - 3600, keep=120.0)
        self._waiting: dict[str, deque[_Item]] = {}
        self._budgets: dict[str, Budget] = {}
        self._askers: dict[str, Asker] = {}
        self._noise = Rate(0.0, now())
        self._tasks: set[asyncio.Task[None]] = set()
        self._again: dict[str, asyncio.TimerHandle] = {}

    @property
    def table(self) -> Table | None:
        """The newest table; None before the first."""
        return self._tables[max(self._tables)] if self._tables else None

    def install(self, table: Table, compares: Compares) -> None:
        """Go on with another configuration. What waits for a group that is not compared any more is let go."""
        self._tables[table.generation] = table
        while len(self._tables) > _GENERATIONS:
            del self._tables[min(self._tables)]
        self._compares = compares
        now = self._now()
        if self._noise.rate != table.shadowing.noise:
            self._noise = Rate(table.shadowing.noise, now)
        for backend in table.backends:
            budget = self._budgets.get(backend.name)
            if budget is None:
                self._budgets[backend.name] = Budget(backend.shadow, now)
            else:
                budget.adjust(backend.shadow, now)
            asker = self._askers.get(backend.name)
            if asker is None or asker.addresses != backend.addresses:
                if asker is not None:
                    asker.close()
                self._askers[backend.name] = Asker(backend.addresses)
        for waiting in self._waiting.values():
            for item in [one for one in waiting if not self._wanted(one)]:
                waiting.remove(item)
                self._let_go(item, "removed")

    # -- from the workers ---------------------------------------------------------------------------------------

    def take(self, worker: int, message: Message, body: bytes) -> None:
        """A worker's message. `worker` tells the connections of workers apart."""
        match message:
            case Lifted():
                self._lifted(message, body)
            case WriteBegan():
                self._write_began(worker, message)
            case WriteEnded():
                self._races.ended((worker, message.number), message.at)
            case Dropped():
                self._dropped(message)

    def lost_worker(self, since: float) -> None:
        """A worker's connection ended: what it wrote since then is not known."""
        self._races.lost(since, self._now())

    def _write_began(self, worker: int, message: WriteBegan) -> None:
        table = self._tables.get(message.generation)
        if table is None:
            self._races.lost(message.at, message.at)
            return
        known = message.route < len(table.routes)
        route = table.routes[message.route] if known else table.unmatched
        _, _, query = message.target.partition(b"?")
        subject = subject_of(table, self._reader, {b"cookie": message.cookies}, query)
        touch = Touch(domain_of(route), records_of(route, message.target), subject)
        self._races.began((worker, message.number), message.at, touch)

    def _dropped(self, message: Dropped) -> None:
        table = self._tables.get(message.generation)
        if table is None or message.route >= len(table.routes):
            return
        route = table.routes[message.route]
        for _ in range(min(message.count, 100_000)):
            self._keep_drop(route, "", Why(message.why))

    def _lifted(self, lifted: Lifted, body: bytes) -> None:
        if lifted.lost_at:
            self._races.lost(lifted.lost_at, lifted.lost_at)
        table = self._tables.get(lifted.generation)
        if table is None or lifted.route >= len(table.routes):
            self._count_drop("generation")
            return
        item = _Item(table, table.routes[lifted.route], lifted, body)
        if not self._wanted(item):
            self._count_drop("removed")
            return
        fields = fields_of(lifted.request)
        _, _, query = lifted.request.split(b" ", 2)[1].partition(b"?")
        group = item.route.group
        if group is None or is_kept(group, self._reader, query, fields):
            self._count_drop("kept")
            return
        if self.held + item.size > table.shadowing.queue:
            self._drop(item, Why.OVERFLOW)
            return
        self.held += item.size
        self._waiting.setdefault(item.other.name, deque()).append(item)
        self._pump(item.other.name)

    def _wanted(self, item: _Item) -> bool:
        """Whether the running table still wants this to be asked; asked again right before it is."""
        table = self.table
        group = item.route.group
        if table is None or group is None:
            return False
        name = group.name
        running = next((one for one in table.groups if one.name == name), None)
        method = item.lifted.request.split(b" ", 1)[0]
        return (
            running is not None
            and bool(running.shadow)
            and not running.kill
            and not table.kill
            and other_side(item.table, item.route, method, item.lifted.served) == item.lifted.other
        )

    # -- asking -------------------------------------------------------------------------------------------------

    def _pump(self, backend: str) -> None:
        """Start as many as the budget has room for."""
        waiting = self._waiting.get(backend)
        budget = self._budgets[backend]
        while waiting:
            item = waiting[0]
            now = self._now()
            if now - item.lifted.ended > OLDEST:
                waiting.popleft()
                self.held -= item.size
                self._drop(item, Why.BUDGET)
                continue
            answer = served(item.table, item.lifted, item.body)
            if decided_alone(answer):  # whatever the other side says: there is nothing to compare it with
                waiting.popleft()
                self._conclude(item, answer, Observation(item.other.name), raced=False)
                self.held -= item.size
                continue
            if not budget.begin(now):
                self._try_again(backend)
                return
            waiting.popleft()
            task = asyncio.get_running_loop().create_task(self._compare(item, answer, budget))
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def _try_again(self, backend: str) -> None:
        if backend not in self._again:
            loop = asyncio.get_running_loop()
            self._again[backend] = loop.call_later(0.02, self._pump_again, backend)

    def _pump_again(self, backend: str) -> None:
        del self._again[backend]
        self._pump(backend)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._count_drop("failed")
            self._failed(error)

    async def _compare(self, item: _Item, answer: Observation, budget: Budget) -> None:
        name = item.other.name
        try:
            try:
                other = await self._ask(item, name)
            finally:
                budget.end()
                self._pump(name)
            answered = self._now()
            await asyncio.sleep(_SETTLE)
            raced = self._races.raced(self._touch(item), item.lifted.began, answered)
            self._conclude(item, answer, other, raced=raced)
            await self._learn(item, answer, other, raced=raced)
        finally:
            self.held -= item.size

    async def _ask(self, item: _Item, backend: str) -> Observation:
        shadowing = item.table.shadowing
        self.counters[series("banyan_edge_shadow_asked_total", side=backend)] += 1
        answer = await self._askers[backend].ask(
            repeated(item.lifted.request, self._mark), limit=shadowing.body, patience=shadowing.timeout
        )
        return observed(
            backend,
            answer.status,
            answer.headers,
            answer.body,
            answer.seconds,
            answer.failure,
            shadowing.body,
        )

    def _touch(self, item: _Item) -> Touch:
        request = item.lifted.request
        target = request.split(b" ", 2)[1]
        _, _, query = target.partition(b"?")
        subject = subject_of(item.table, self._reader, fields_of(request), query)
        return Touch(domain_of(item.route), records_of(item.route, target), subject)

    # -- comparing ----------------------------------------------------------------------------------------------

    def _conclude(self, item: _Item, answer: Observation, other: Observation, *, raced: bool) -> None:
        pair = self._pair(item, answer, other, raced=raced)
        if self._compares is None:
            return
        comparison = self._compares.compare(pair)
        self._count(item.route.name, comparison.outcome, comparison.why)
        self._keeps.add(pair, comparison)
        if self._learns is not None and not raced:
            self._learns.add_raw(item.route.name, comparison)

    def _pair(self, item: _Item, answer: Observation, other: Observation, *, raced: bool) -> Pair:
        lifted, group = item.lifted, item.route.group
        old = group is not None and group.from_backend == lifted.served
        control, candidate = (answer, other) if old else (other, answer)
        return Pair(
            request_id=lifted.request_id.decode("latin-1"),
            route=item.route.name,
            group="" if group is None else group.name,
            generation=lifted.generation,
            at=lifted.at,
            asked=asked_of(lifted.request, self._role(item)),
            control=control,
            candidate=candidate,
            served=answer.side,
            raced=raced,
        )

    def _role(self, item: _Item) -> str:
        return role_of(item.table, item.route, self._reader, item.lifted.request)

    async def _learn(self, item: _Item, answer: Observation, other: Observation, *, raced: bool) -> None:
        """Now and then, ask the old side once more: two answers of its own differ by nothing but noise."""
        group = item.route.group
        if self._learns is None or group is None or item.route.repeat is not Repeat.SAFE or raced:
            return
        old = item.table.backends[group.from_backend]
        first = answer if group.from_backend == item.lifted.served else other
        budget = self._budgets[old.name]
        now = self._now()
        if first.failure is not None or not self._wanted(item) or not self._noise.takes(now):
            return
        if not budget.begin(now):
            return
        try:
            second = await self._ask(item, old.name)
        finally:
            budget.end()
        answered = self._now()
        await asyncio.sleep(_SETTLE)
        raced = self._races.raced(self._touch(item), item.lifted.began, answered)
        if self._compares is not None and not raced:
            pair = self._pair(item, first, second, raced=False)
            self._learns.add(item.route.name, self._compares.compare(pair))

    # -- accounts -----------------------------------------------------------------------------------------------

    def _count(self, route: str, outcome: Outcome, why: Why | None) -> None:
        name = series("banyan_edge_shadow_outcomes_total", route=route, outcome=outcome, why=why or "")
        self.counters[name] += 1

    def _count_drop(self, reason: str) -> None:
        self.counters[series("banyan_edge_shadow_dropped_total", reason=reason)] += 1

    def _let_go(self, item: _Item, reason: str) -> None:
        self.held -= item.size
        self._count_drop(reason)

    def _drop(self, item: _Item, why: Why) -> None:
        self._count_drop(why)
        self._keep_drop(item.route, item.table.backends[item.lifted.served].name, why, self._role(item))

    def _keep_drop(self, route: Route, served: str, why: Why, role: str = "anonymous") -> None:
        self._count(route.name, Outcome.NOT_COMPARABLE, why)
        group = "" if route.group is None else route.group.name
        self._keeps.add_dropped(route.name, group, served, role, why, self._wall())

    def behind(self) -> float:
        """For how many seconds the oldest of what waits was not asked."""
        ended = [waiting[0].lifted.ended for waiting in self._waiting.values() if waiting]
        return max(0.0, self._now() - min(ended)) if ended else 0.0

    async def close(self) -> None:
        """Let go of what is under way."""
        for handle in self._again.values():
            handle.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for asker in self._askers.values():
            asker.close()
