# SPDX-License-Identifier: AGPL-3.0-or-later
"""One edge's part in the rollout: what it does by itself, the tick of whoever leads, and what people ask for.

Every tick, each replica
    lowers what its own counts show to be broken          needs nobody
    pulls what is agreed, and pushes what it lowered      needs the store
    tells what it served
and the one that holds the lease decides for every unit. What it raises is in the journal before it happens; what it
lowers happens first. With the store away shares stay what they are, and may fall.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import structlog

from proxy.rollout.commands import Verb, carried_out
from proxy.rollout.decide import BY_GATES, Decision, decide
from proxy.rollout.evidence import Evidence, Proof, Traffic, merged
from proxy.rollout.forecast import seconds_needed
from proxy.rollout.gates import BURST
from proxy.rollout.phases import CLIMBING, WATCHED, Event
from proxy.rollout.policy import Policy, Unit
from proxy.rollout.ports import Entry, UnavailableError
from proxy.rollout.replica import Ports, Replica
from proxy.rollout.shift import Shift, can_shift
from proxy.rollout.state import State
from proxy.rollout.together import goes_with
from proxy.rollout.verdict import Outcome
from proxy.telemetry.metrics import Snapshot

ESTIMATE_SECONDS: Final = 10.0
"""How old an estimate may be."""

log = structlog.get_logger()


class Done(msgspec.Struct, frozen=True):
    """What a command came to. `pending`: done here, and not yet agreed with the others."""

    unit: str
    before: State
    after: State
    also: tuple[str, ...] = ()
    dry_run: bool = False
    pending: bool = False


class Controller(Replica):
    """See the module. `decisions`: what the last tick of the leader came to, by unit; `estimates`: seconds until the
    evidence suffices, as of a moment ago."""

    def __init__(self, replica: str, units: Mapping[str, Unit], ports: Ports) -> None:
        super().__init__(replica, units, ports)
        self.decisions: dict[str, Decision] = {}
        self.estimates: dict[str, float | None] = {}
        self._estimated: dict[str, float] = {}
        self._proofs: dict[str, tuple[Proof, ...]] = {}

    async def tick(self) -> None:
        """Once a second or so."""
        self.guard()
        async with self._busy:
            await self._sync()
            if not self.problem:
                await self._report()
                if await self._takes_lead():
                    for name in list(self.units):
                        await self._decide(name)
            await self._write_lines()

    def observe(self, snapshot: Snapshot, connections: Mapping[str, int]) -> None:
        """Take what the workers counted, and look at once whether something broke: a tick may wait for a database."""
        super().observe(snapshot, connections)
        self.guard()

    def guard(self) -> None:
        """Lower at once what this edge's own counts show to be broken: no store, no journal, no leader is asked."""
        for name, unit in self.units.items():
            state = self.states[name]
            if unit.policy is None or state.share <= 0 or state.phase not in WATCHED:
                continue
            for one in self._evidence(unit, state, self._served.traffic(unit, state.epoch)):
                verdict = BURST.judge(one, unit.policy)
                if verdict.outcome is Outcome.FAIL:
                    reason = f"{verdict.gate} ({verdict.group}): {verdict.reason}"
                    self._lower(unit, state, Event.FAIL, 0.0, reason, BY_GATES)
                    break

    # -- evidence -------------------------------------------------------------------------------------------------

    async def evidence(self, unit: Unit) -> list[Evidence]:
        """What all replicas, the comparisons and the proofs say of a unit now; what cannot be asked is not there."""
        state = self.states[unit.name]
        parts: Sequence[Mapping[str, Traffic]]
        try:
            parts = await self._ports.store.gather(unit.name, state.epoch)
        except UnavailableError:
            parts = [self._served.traffic(unit, state.epoch)]
        whole = {group: merged(part[group] for part in parts if group in part) for group in unit.groups}
        found = self._evidence(unit, state, whole)
        build = state.build or self._ports.build(unit.new)
        try:
            compared = await self._ports.compared.comparisons(unit.groups, build)
        except UnavailableError as error:
            log.debug("comparisons are away", unit=unit.name, why=str(error))
            compared = {}
        for one in found:
            one.comparisons = compared.get(one.group)
        return found

    def _evidence(self, unit: Unit, state: State, traffic: Mapping[str, Traffic]) -> list[Evidence]:
        now = self._ports.now()
        build = state.build or self._ports.build(unit.new)
        return [
            Evidence(
                group=group,
                build=build,
                seconds=max(0.0, now - state.since),
                now=now,
                traffic=traffic.get(group, Traffic()),
                proofs=self._proofs.get(unit.name, ()),
                repeatable=unit.repeatable,
            )
            for group in unit.groups
        ]

    async def shift(self, name: str, percent: float) -> Shift:
        """The answer to `can-i-shift`. Raises RefusedError."""
        unit = self.unit_of(name)
        await self._learn_proofs(unit)
        evidence = await self.evidence(unit)
        return can_shift(self.states[unit.name], evidence, unit.policy or Policy(), percent)

    async def _learn_proofs(self, unit: Unit) -> None:
        """Proofs are lines of the journal. While it is away, those known before count."""
        if unit.repeatable:
            return
        try:
            entries = await self._ports.journal.read(unit.name, 100)
        except UnavailableError as error:
            self.journal_problem = str(error)
            return
        self._proofs[unit.name] = tuple(entry.proof for entry in entries if entry.proof is not None)

    # -- deciding -------------------------------------------------------------------------------------------------

    async def _decide(self, name: str) -> None:
        unit, state = self.units[name], self.states[name]
        if unit.policy is None or name in self._pending:
            return
        await self._learn_proofs(unit)
        evidence = await self.evidence(unit)
        decision = decide(
            state,
            evidence,
            unit.policy,
            self._ports.now(),
            build=self._ports.build(unit.new),
            frozen=self.frozen,
        )
        if self.states[name] is not state:
            return  # lowered here while others were asked
        self.decisions[name] = decision
        self._estimate(unit, state, evidence)
        if decision.event is not None:
            await self._carry_out(unit, decision)

    def _estimate(self, unit: Unit, state: State, evidence: Sequence[Evidence]) -> None:
        """Now and then: it asks the gates several times over."""
        now = self._ports.now()
        if unit.policy is None or state.phase not in CLIMBING:
            self.estimates.pop(unit.name, None)
        elif now - self._estimated.get(unit.name, -ESTIMATE_SECONDS) >= ESTIMATE_SECONDS:
            self._estimated[unit.name] = now
            self.estimates[unit.name] = seconds_needed(evidence, state.share, unit.policy)

    async def _carry_out(self, unit: Unit, decision: Decision) -> None:
        state, following, event = self.states[unit.name], decision.next, decision.event
        assert event is not None  # noqa: S101 - for the type checker: who calls has looked
        entry = self._entry(state, following, event, decision.verdicts)
        if following.share < state.share:
            self._lower(unit, state, event, following.share, following.reason, following.by, entry)
            await self._sync()
            return
        if following.share > state.share:
            try:
                await self._ports.journal.append(entry)
                self.journal_problem = ""
            except UnavailableError as error:
                self.journal_problem = str(error)
                why = (f"all gates pass; the journal is away, so nothing is raised: {error}",)
                self.decisions[unit.name] = msgspec.structs.replace(
                    decision, next=state, event=None, reasons=why, waits_for="journal"
                )
                return
            if self.states[unit.name] is not state:
                return  # lowered here while the journal was written
        else:
            self._lines.append(entry)
        await self._agree(unit, state, following)
        if decision.waits_for == "person":
            self._tell("confirm", unit, state, following)

    # -- people ---------------------------------------------------------------------------------------------------

    async def command(
        self,
        verb: Verb,
        name: str,
        *,
        by: str,
        reason: str = "",
        percent: float = 0.0,
        dry_run: bool = False,
    ) -> Done:
        """Do what a person asks. Raises RefusedError, IllegalTransitionError; UnavailableError where it would raise or
        hold a share and nobody can be asked (lowering asks nobody)."""
        unit = self.unit_of(name)
        if verb not in (Verb.KILL, Verb.BACK) and not dry_run:
            await self.sync()
        state = self.states[unit.name]
        build = self._ports.build(unit.new)
        following, event = carried_out(
            verb, state, unit, self._ports.now(), by=by, reason=reason, build=build, percent=percent
        )
        lowers = following.share < state.share or verb is Verb.KILL
        also = tuple(goes_with(unit, Event(event), self.units, self.states)) if lowers else ()
        if dry_run:
            return Done(unit.name, state, following, also, dry_run=True)
        if lowers:
            self._lower(unit, state, Event(event), following.share, following.reason, by)
            await self._settle_soon()
            return Done(unit.name, state, self.states[unit.name], also, pending=unit.name in self._pending)
        if self.problem:
            raise UnavailableError(self.problem)
        async with self._busy:
            await self._ports.journal.append(self._entry(state, following, event))
            if not await self._agree(unit, state, following):
                raise UnavailableError(f"somebody else changed {unit.name} just now: look, and ask again")
        return Done(unit.name, state, following)

    async def _settle_soon(self) -> None:
        """Tell the others and the journal now, if they are there; else a later tick does."""
        async with self._busy:
            await self._sync()
            await self._write_lines()

    async def freeze(self, frozen: bool, *, by: str, reason: str = "") -> None:
        """Keep all shares from rising, or no longer. Raises UnavailableError."""
        event = "freeze" if frozen else "thaw"
        await self._ports.store.freeze(frozen)
        self.frozen = frozen
        self._keep()
        self._lines.append(Entry(self._ports.now(), "*", event, by, reason, replica=self.replica))
        await self._settle_soon()

    async def prove(self, name: str, proof: Proof) -> None:
        """Put a run of `contracts verify-writes` or `replay` on record. Raises RefusedError, UnavailableError."""
        unit = self.unit_of(name)
        reason = f"contracts {proof.kind}: {'green' if proof.green else 'differences'} on {proof.cases} cases"
        await self._ports.journal.append(
            Entry(
                self._ports.now(),
                unit.name,
                "proof",
                proof.by,
                reason,
                build=proof.build,
                replica=self.replica,
                proof=proof,
            )
        )

    async def history(self, name: str | None, limit: int) -> list[Entry]:
        """The journal's latest lines. Raises RefusedError, UnavailableError."""
        return await self._ports.journal.read(None if name is None else self.unit_of(name).name, limit)
