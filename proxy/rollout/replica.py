# SPDX-License-Identifier: AGPL-3.0-or-later
"""What one edge knows of all rollouts, and how it stays in agreement with the others.

What is agreed is in the store, and is taken from there; but what was lowered here holds at once, and is agreed on when
the store can be reached. Every state that is known is kept in the local file too.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import structlog

from proxy.rollout.commands import RefusedError
from proxy.rollout.files import Kept, StateFile
from proxy.rollout.phases import TRANSITIONS, WATCHED, Event, Phase
from proxy.rollout.policy import Unit
from proxy.rollout.ports import Compared, Entry, Heartbeat, Journal, Notice, Shared, Store, UnavailableError
from proxy.rollout.served import Served
from proxy.rollout.state import State, first_state, lowest
from proxy.rollout.together import goes_with
from proxy.rollout.verdict import Verdict
from proxy.routing.table import Share
from proxy.telemetry.metrics import Snapshot

SEED_SECONDS: Final = 2.0
"""How long replicas are waited for before an empty store is filled from what they know."""
_MOST_LINES: Final = 1_000  # lines that wait for the journal; lowering goes on without it
_HANDS_OFF: Final = (Phase.KILLED, Phase.ROLLED_BACK)
_TOLD: Final = {Event.FAIL: "rollback", Event.BACK: "rollback", Event.KILL: "kill"}

log = structlog.get_logger()


class Ports(msgspec.Struct, frozen=True):
    """The world. `build`: backend → which build of it runs, "" for unknown; `apply`: shares by group, for the workers;
    `announce` never blocks."""

    store: Store
    journal: Journal
    compared: Compared
    now: Callable[[], float]
    build: Callable[[str], str]
    apply: Callable[[Mapping[str, Share]], None]
    announce: Callable[[Notice], None]
    file: StateFile | None = None


class Replica:
    """See the module. `replica` is this edge's name, which no other has; `units` is what the routing file says.

    `problem` says what is wrong with the store, `journal_problem` with the journal; "" for nothing.
    """

    def __init__(self, replica: str, units: Mapping[str, Unit], ports: Ports) -> None:
        self.replica = replica
        self.units = units
        self.states: dict[str, State] = {}
        self.frozen = False
        self.leads = False
        self.problem = ""
        self.journal_problem = ""
        self.generation = 0
        self._ports = ports
        self._served = Served()
        self._known: set[str] = set()  # units of which the store, the file or a decision tells
        self._pending: dict[str, State] = {}  # lowered here, not yet agreed
        self._lines: deque[Entry] = deque(maxlen=_MOST_LINES)
        self._empty_since: float | None = None
        self._applied: dict[str, Share] = {}
        self._busy = asyncio.Lock()
        self._begin()

    def _begin(self) -> None:
        """What is known before anybody was asked: the local file, else what the routing file says, or, where others
        may know better, nothing but 0."""
        kept = None if self._ports.file is None else self._ports.file.read()
        kept = kept or Kept()
        self.frozen = kept.frozen
        for name, unit in self.units.items():
            state = kept.states.get(name)
            if state is not None:
                self._known.add(name)
            elif self._ports.store.shared and unit.policy is not None:
                state = State(name, Phase.LEGACY, 0.0, reason="not known yet what was agreed")
            self.states[name] = state or first_state(unit)

    def configure(self, units: Mapping[str, Unit], generation: int) -> None:
        """Another routing file runs. Units that are new begin as it says, those that went are forgotten here. The new
        table is given to the workers with `shares()`: they must not see these on the old one."""
        self.units, self.generation = units, generation
        for name in self.states.keys() - units.keys():
            del self.states[name]
            self._known.discard(name)
        for name, unit in units.items():
            if name not in self._known:
                self.states[name] = first_state(unit)
        self._applied = self.shares()
        self._keep()

    def shares(self) -> dict[str, Share]:
        """The share in effect of every group: the rollout's where there is a ramp or somebody took it back by hand,
        else the file's."""
        shares = {}
        for name, state in self.states.items():
            unit = self.units[name]
            decided = unit.policy is not None or state.phase in _HANDS_OFF
            share = Share(state.share if decided else unit.percent, state.epoch)
            shares.update(dict.fromkeys(unit.groups, share))
        return shares

    def unit_of(self, name: str) -> Unit:
        """The unit of that name, or that holds the group of that name. Raises RefusedError."""
        if name in self.units:
            return self.units[name]
        for unit in self.units.values():
            if name in unit.groups:
                return unit
        raise RefusedError(f"there is no group or bundle {name}")

    def now(self) -> float:
        """Seconds since 1970, on the clock that everything here goes by."""
        return self._ports.now()

    async def others(self) -> tuple[str, list[Heartbeat]]:
        """Who leads, and all replicas that live. Raises UnavailableError."""
        return await self._ports.store.leader(), await self._ports.store.replicas()

    def observe(self, snapshot: Snapshot, connections: Mapping[str, int]) -> None:
        """Take what the workers counted."""
        self._served.observe(self._ports.now(), snapshot, self.units, self.states, connections)

    def heartbeat(self) -> Heartbeat:
        """What this replica says of itself."""
        known = {name: state for name, state in self.states.items() if name in self._known}
        shares = {group: share.percent for group, share in self.shares().items()}
        return Heartbeat(self.replica, self._ports.now(), self.generation, shares, known)

    @property
    def pending(self) -> tuple[str, ...]:
        """Units lowered here that the others do not know of yet."""
        return tuple(sorted(self._pending))

    # -- agreeing ---------------------------------------------------------------------------------------------

    async def follow(self) -> None:
        """Pull whenever something was pushed; for ever."""
        async for _ in self._ports.store.follow():
            await self.sync()

    async def sync(self) -> None:
        """Pull what is agreed, now; called when something was pushed."""
        async with self._busy:
            await self._sync()

    async def _sync(self) -> None:
        try:
            shared = await self._ports.store.load()
            if not shared.seeded:
                await self._seed()
                return
            self._empty_since = None
            await self._adopt(shared)
        except UnavailableError as error:
            self._lost(error)
            return
        if self.problem:
            log.info("store is back", replica=self.replica)
        self.problem = ""

    def _lost(self, error: UnavailableError) -> None:
        if not self.problem:
            log.warning("store is away", why=str(error), effect="shares stay as they are, and may fall")
        self.problem = str(error)
        self.leads = False

    async def _seed(self) -> None:
        """An empty store is filled with the lowest of what the journal and all replicas know, after all had time to
        say what that is. Until then nothing rises."""
        now = self._ports.now()
        self.problem = "the store is empty: waiting for what the others know"
        await self._ports.store.report(self.heartbeat())
        if self._ports.store.shared:
            if self._empty_since is None:
                self._empty_since = now
            if now - self._empty_since < SEED_SECONDS:
                return
        accounts: dict[str, list[State]] = {}
        for beat in await self._ports.store.replicas():
            for name, state in beat.states.items():
                accounts.setdefault(name, []).append(state)
        try:
            for name, state in (await self._ports.journal.latest()).items():
                accounts.setdefault(name, []).append(state)
        except UnavailableError as error:
            self.journal_problem = str(error)
        agreed = {name: lowest(states) for name, states in accounts.items()}
        if await self._ports.store.seed(agreed):
            log.info("store filled", units=len(agreed))

    async def _adopt(self, shared: Shared) -> None:
        """Take what is agreed, but for what was lowered here: that is agreed on now."""
        self.frozen = shared.frozen
        states = dict(shared.states)
        for name, mine in list(self._pending.items()):
            agreed = states.get(name)
            if agreed is None or (agreed.version < mine.version and agreed.share >= mine.share):
                if await self._ports.store.put(mine, -1 if agreed is None else agreed.version):
                    states[name] = mine
                    del self._pending[name]
            elif agreed.share <= mine.share and mine.phase in (agreed.phase, Phase.ROLLED_BACK):
                del self._pending[name]
            else:
                again = msgspec.structs.replace(mine, version=agreed.version + 1, epoch=agreed.epoch + 1)
                if await self._ports.store.put(again, agreed.version):
                    states[name] = again
                    del self._pending[name]
        for name, unit in self.units.items():
            if name in self._pending:
                continue
            agreed = states.get(name)
            if agreed is not None:
                self.states[name] = agreed
                self._known.add(name)
            elif name not in self._known:
                self.states[name] = first_state(unit)
        self._apply()

    async def _report(self) -> None:
        store = self._ports.store
        try:
            await store.report(self.heartbeat())
            for name, unit in self.units.items():
                state = self.states[name]
                if unit.policy is not None and state.phase in WATCHED:
                    traffic = self._served.traffic(unit, state.epoch)
                    if traffic:
                        await store.give(self.replica, name, state.epoch, traffic)
        except UnavailableError as error:
            self._lost(error)

    async def _takes_lead(self) -> bool:
        try:
            leads = await self._ports.store.lead(self.replica)
        except UnavailableError as error:
            self._lost(error)
            return False
        if leads and not self.leads:
            log.info("leads the rollout", replica=self.replica)
        self.leads = leads
        return leads

    async def _agree(self, unit: Unit, state: State, following: State) -> bool:
        """Replace a state that all have; false where somebody was faster, which the next pull shows."""
        expected = state.version if unit.name in self._known else -1
        try:
            done = await self._ports.store.put(following, expected)
        except UnavailableError as error:
            self._lost(error)
            return False
        if done:
            self._take(unit.name, following)
        return done

    # -- changing ---------------------------------------------------------------------------------------------

    def _take(self, name: str, state: State) -> None:
        self._known.add(name)
        self.states[name] = state
        self._applied = {}  # the file keeps more than shares
        self._apply()

    def _apply(self) -> None:
        shares = self.shares()
        if shares != self._applied:
            self._applied = shares
            self._ports.apply(shares)
            self._keep()

    def _keep(self) -> None:
        file = self._ports.file
        kept = {name: state for name, state in self.states.items() if name in self._known}
        if file is None or not kept:
            return
        try:
            file.write(kept, self.frozen)
        except UnavailableError as error:
            log.error("state not kept", why=str(error))

    def _lower(
        self,
        unit: Unit,
        state: State,
        event: Event,
        share: float,
        reason: str,
        by: str,
        entry: Entry | None = None,
    ) -> tuple[str, ...]:
        """Lower now, here; let the others know when they can be reached. The rest of a stage may go with it."""
        now = self._ports.now()
        following = state.moved(event, now, share=share, last_good=0.0, reason=reason, by=by)
        self._lines.append(entry or self._entry(state, following, event))
        self._pending[unit.name] = following
        self._take(unit.name, following)
        self._tell(_TOLD.get(event, event), unit, state, following)
        also = tuple(goes_with(unit, event, self.units, self.states))
        for name in also:
            other = self.states[name]
            if (other.phase, Event.BACK) in TRANSITIONS:
                with_it = f"{unit.name} went back, and stage {unit.stage} goes back as a whole"
                back = other.moved(Event.BACK, now, share=0.0, last_good=0.0, reason=with_it, by=by)
                self._lines.append(self._entry(other, back, Event.BACK))
                self._pending[name] = back
                self._take(name, back)
                self._tell("rollback", self.units[name], other, back)
        return also

    def _entry(self, state: State, following: State, event: str, evidence: tuple[Verdict, ...] = ()) -> Entry:
        return Entry(
            at=self._ports.now(),
            unit=state.unit,
            event=event,
            by=following.by,
            reason=following.reason,
            share_from=state.share,
            share_to=following.share,
            build=following.build,
            replica=self.replica,
            state=following,
            evidence=evidence,
        )

    def _tell(self, kind: str, unit: Unit, state: State, following: State) -> None:
        self._ports.announce(
            Notice(
                kind=kind,
                unit=unit.name,
                groups=unit.groups,
                at=self._ports.now(),
                by=following.by,
                reason=following.reason,
                share_from=state.share,
                share_to=following.share,
                phase=following.phase,
                replica=self.replica,
            )
        )

    async def _write_lines(self) -> None:
        """The journal's lines that nothing waited for."""
        while self._lines:
            try:
                await self._ports.journal.append(self._lines[0])
            except UnavailableError as error:
                self.journal_problem = str(error)
                return
            self._lines.popleft()
            self.journal_problem = ""
