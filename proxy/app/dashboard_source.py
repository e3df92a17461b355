# SPDX-License-Identifier: AGPL-3.0-or-later
"""Gives the dashboard what the parent, the rollout and the comparisons know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import structlog

from proxy.app.comparing import Comparing, comparisons_of
from proxy.dashboard import readmodel as page
from proxy.experiment.evidence import Endpoint, Evidence, Found
from proxy.experiment.outcome import Severity
from proxy.rollout.commands import RefusedError, Verb
from proxy.rollout.controller import Controller
from proxy.rollout.phases import IllegalTransitionError
from proxy.rollout.policy import Unit
from proxy.rollout.ports import Entry, UnavailableError
from proxy.rollout.verdict import Outcome
from proxy.rollout.view import ReplicaView, UnitView, replicas_of, rollout_view, unit_view
from proxy.telemetry.history import Point
from proxy.telemetry.metrics import BOUNDS, Cell, percentile

if TYPE_CHECKING:
    from proxy.app.parent import Parent

_SPARK: Final = 30
_JOURNAL: Final = 30
_SECONDS: Final = 60.0

log = structlog.get_logger()

_Counted: TypeAlias = tuple[dict[tuple[str, str], Cell], float]


class DashboardSource:
    """See `readmodel.Source`."""

    def __init__(self, parent: Parent, comparing: Comparing) -> None:
        self._parent = parent
        self._comparing = comparing
        self._changes = 0

    # -- reading ----------------------------------------------------------------------------------------------

    async def overview(self) -> page.Overview:
        """All units."""
        view = await rollout_view(self._controller)
        evidence, notes = await self._evidence()
        counted = self._counted()
        units = tuple(self._row(unit, evidence, counted) for unit in view.units)
        builds = sorted({unit.build for unit in view.units if unit.build})
        return page.Overview(
            generation=self._parent.table.generation,
            build=", ".join(builds),
            frozen=view.frozen,
            leader=view.leader in ("", view.replica),
            notes=(*self._notes(view.store, view.journal), *notes),
            units=units,
        )

    async def unit(self, name: str) -> page.UnitPage | None:
        """One unit."""
        unit = self._unit_of(name)
        if unit is None:
            return None
        view = await unit_view(self._controller, unit)
        evidence, _ = await self._evidence(view.build)
        journal = await self.journal(unit.name, _JOURNAL)
        return page.UnitPage(
            row=self._row(view, evidence, self._counted()),
            series=self._series(unit, journal),
            gates=tuple(
                page.GateRow(
                    one.gate, one.group, one.outcome.value, one.reason,
                    one.value, one.low, one.high, one.threshold, one.unit,
                )
                for one in view.verdicts
            ),
            routes=tuple(self._routes(unit, evidence)),
            journal=journal,
            estimate=view.estimate,
            next_step=view.next_step,
            last_good=view.last_good,
            since=view.since,
            changed_at=view.changed_at,
            by=view.by,
            build=view.build,
            actions=tuple(action for action in view.possible if action != Verb.RETIRE),
        )  # fmt: skip

    async def endpoint(self, route: str) -> page.EndpointPage | None:
        """One route."""
        found = next((one for one in self._parent.table.routes if one.name == route), None)
        if found is None:
            return None
        evidence, _ = await self._evidence()
        known = _endpoint(evidence, route)
        group = found.group
        backends = self._parent.table.backends
        old_name = backends[group.from_backend].name if group else backends[self._parent.table.legacy].name
        new_name = backends[group.to_backend].name if group else ""
        whole, nothing = self._whole(route), Cell("", "", "")
        old, new = whole.get(old_name, nothing), whole.get(new_name, nothing)
        return page.EndpointPage(
            route=route,
            group=group.name if group else "",
            methods="|".join(found.methods) or "ANY",
            path=found.pattern,
            repeat=f"may be repeated: {found.repeat.value}",
            old=_figures(old_name, old, 0.0),
            new=_figures(new_name, new, 0.0),
            old_latency=_distribution(old),
            new_latency=_distribution(new),
            statuses=tuple(
                (f"{hundred}xx", old.statuses[hundred], new.statuses[hundred])
                for hundred in range(1, 6)
                if old.statuses[hundred] or new.statuses[hundred]
            ),
            outcomes=tuple((outcome.value, times) for outcome, times in known.outcomes.items() if times),
            findings=tuple(_finding_row(one, evidence) for one in known.findings),
        )

    async def finding(self, fingerprint: str) -> page.FindingPage | None:
        """One difference."""
        evidence, _ = await self._evidence()
        for endpoint in evidence.endpoints:
            for found in endpoint.findings:
                if found.fingerprint == fingerprint:
                    samples = tuple(
                        page.SampleRow(
                            one.at, f"{one.method} {one.target}", one.role, one.pointer,
                            one.control, one.candidate, one.control_status, one.candidate_status,
                        )
                        for one in found.samples
                    )  # fmt: skip
                    return page.FindingPage(endpoint.route, _finding_row(found, evidence), samples)
        return None

    async def journal(self, unit: str | None, most: int) -> tuple[page.Event, ...]:
        """What happened."""
        try:
            entries = await self._controller.history(unit, most)
        except (UnavailableError, RefusedError):
            return ()
        return tuple(_event(entry) for entry in entries)

    async def config(self) -> page.ConfigPage:
        """The configuration."""
        parent = self._parent
        rejected = () if parent.rejection is None else parent.rejection.errors
        return page.ConfigPage(
            file=str(parent.options.config),
            generation=parent.table.generation,
            rejected=tuple(
                page.ConfigError(one.file, one.line, one.column, one.code, one.message, one.remedy)
                for one in rejected
            ),
            workers=tuple((one.pid or 0, one.generation) for one in parent.supervisor.workers),
            backends=tuple(
                (backend.name, sum(parent.health.up().get(backend.name, [])), len(backend.addresses))
                for backend in parent.table.backends
            ),
        )

    async def replicas(self) -> page.Replicas:
        """All edges."""
        _, replicas = await replicas_of(self._controller)
        now = self._controller.now()
        joined = "Redis and the journal" if len(replicas) > 1 else "nobody: this edge is alone"
        return page.Replicas(joined, tuple(_replica(one, now) for one in replicas))

    def version(self) -> object:
        """Changes with every count, every decision and every action."""
        return self._parent.window.newest, self._changes

    # -- doing ------------------------------------------------------------------------------------------------

    async def act(self, unit: str, action: str, by: str, reason: str) -> page.Outcome:
        """What an operator asks for."""
        try:
            if not unit:
                await self._controller.freeze(action == "freeze", by=by, reason=reason)
            else:
                await self._controller.command(Verb(action), unit, by=by, reason=reason)
        except (RefusedError, IllegalTransitionError, UnavailableError, ValueError) as error:
            return page.Outcome(False, str(error))
        finally:
            self._changes += 1
        return page.Outcome(True, f"{action} {unit}: done" if unit else f"{action}: done")

    async def refused(self, unit: str, action: str, by: str, why: str) -> None:
        """Note an action that was not allowed."""
        log.warning("action refused", unit=unit, action=action, by=by, why=why)

    # -- parts ------------------------------------------------------------------------------------------------

    @property
    def _controller(self) -> Controller:
        return self._parent.rolling.controller

    def _unit_of(self, name: str) -> Unit | None:
        try:
            return self._controller.unit_of(name)
        except RefusedError:
            return None

    async def _evidence(self, build: str = "") -> tuple[Evidence, tuple[str, ...]]:
        try:
            return await self._comparing.evidence(build), ()
        except UnavailableError as error:
            return Evidence(), (f"Comparisons are not known: {error}.",)

    def _notes(self, store: str, journal: str) -> Iterable[str]:
        if store:
            yield f"The store is away: {store}. Shares stay as they are, and may fall."
        if journal:
            yield f"The journal is away: {journal}. No share rises."
        if self._parent.rejection is not None:
            yield "The routing file on disk was refused: see Configuration."
        if not self._parent.rolling.controller.units:
            yield "The routing file holds no group."

    def _counted(self) -> _Counted:
        """The last minute, by group and side."""
        return self._parent.window.sums(_SECONDS, lambda cell: (cell.group, cell.side))

    def _row(self, view: UnitView, evidence: Evidence, counted: _Counted) -> page.UnitRow:
        told = [comparisons_of(evidence, group, view.build, self._controller.now()) for group in view.groups]
        compared = sum(one.compared for one in told)
        differing = sum(one.differing for one in told)
        return page.UnitRow(
            name=view.unit,
            groups=view.groups,
            stage=view.stage,
            phase=view.phase.value,
            share=view.share,
            wanted=view.written,
            old=self._side(view.groups, view.old, counted),
            new=self._side(view.groups, view.new, counted),
            differing=100 * differing / compared if compared else None,
            compared=compared,
            verdict=(view.verdict or Outcome.INCONCLUSIVE).value,
            why="; ".join(view.reasons) or view.reason,
            waits_for=view.waits_for,
        )

    def _side(self, groups: Sequence[str], backend: str, counted: _Counted) -> page.SideFigures:
        points = self._parent.history.of(groups, backend, _SPARK)
        sums, seconds = counted
        whole = Cell("", "", backend)
        for group in groups:
            if (cell := sums.get((group, backend))) is not None:
                whole.merge(cell)
        return _figures(backend, whole, seconds, points)

    def _series(self, unit: Unit, journal: Sequence[page.Event]) -> page.Series:
        old = {point.at: point for point in self._parent.history.of(unit.groups, unit.old)}
        new = {point.at: point for point in self._parent.history.of(unit.groups, unit.new)}
        at = sorted({*old, *new})
        nothing = Point(0.0, 0.0, 0.0, 0.0)

        def row(side: dict[float, Point], name: str) -> tuple[float, ...]:
            return tuple(getattr(side.get(moment, nothing), name) for moment in at)

        steps = tuple(
            (event.at, event.share) for event in reversed(journal) if event.share != event.share_before
        )
        return page.Series(
            tuple(at),
            row(old, "rate"), row(new, "rate"),
            row(old, "errors"), row(new, "errors"),
            row(old, "p95_ms"), row(new, "p95_ms"),
            steps,
        )  # fmt: skip

    def _routes(self, unit: Unit, evidence: Evidence) -> Iterable[page.RouteRow]:
        sums, seconds = self._parent.window.sums(_SECONDS, lambda cell: (cell.route, cell.side))
        for route in self._parent.table.routes:
            if route.group is None or route.group.name not in unit.groups:
                continue
            old, new = (
                _figures(backend, sums.get((route.name, backend), Cell("", "", "")), seconds)
                for backend in (unit.old, unit.new)
            )
            known = _endpoint(evidence, route.name)
            open_findings = sum(one.severity is Severity.ERR for one in known.findings)
            yield page.RouteRow(route.name, route.group.name, old, new, known.comparisons, open_findings)

    def _whole(self, route: str) -> dict[str, Cell]:
        sums, _ = self._parent.window.sums(None, lambda cell: (cell.route, cell.side))
        return {side: cell for (name, side), cell in sums.items() if name == route}


def _figures(backend: str, cell: Cell, seconds: float, points: Sequence[Point] = ()) -> page.SideFigures:
    requests = cell.requests
    return page.SideFigures(
        backend,
        round(requests / seconds, 2) if seconds else 0.0,
        round(100 * cell.errors / requests, 3) if requests else 0.0,
        round(percentile(cell.bins, 0.5) * 1000, 2) if requests else None,
        round(percentile(cell.bins, 0.95) * 1000, 2) if requests else None,
        tuple(point.rate for point in points),
        tuple(point.p95_ms for point in points),
    )


def _distribution(cell: Cell) -> page.Distribution:
    return page.Distribution(tuple(bound * 1000 for bound in BOUNDS), tuple(map(float, cell.bins)))


def _endpoint(evidence: Evidence, route: str) -> Endpoint:
    return next((one for one in evidence.endpoints if one.route == route), Endpoint(route))


def _finding_row(found: Found, evidence: Evidence) -> page.FindingRow:
    approval = next((one for one in evidence.approvals if one.fingerprint == found.fingerprint), None)
    return page.FindingRow(
        found.fingerprint, found.field, found.kind.value, found.severity.value,
        found.times, found.first_seen, found.last_seen, approval.by if approval else "",
    )  # fmt: skip


def _event(entry: Entry) -> page.Event:
    phase = entry.state.phase.value if entry.state else ""
    return page.Event(
        entry.at, entry.unit, entry.event, phase, entry.share_from, entry.share_to,
        entry.by, entry.reason, entry.replica,
    )  # fmt: skip


def _replica(view: ReplicaView, now: float) -> page.Replica:
    return page.Replica(view.replica, view.leads, now - view.seconds_ago, view.generation, view.agrees)
