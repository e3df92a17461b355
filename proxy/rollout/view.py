# SPDX-License-Identifier: AGPL-3.0-or-later
"""The read model: what the command line, the dashboard and the metrics show of a rollout."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from proxy.rollout.controller import Controller
from proxy.rollout.decide import Decision, decide
from proxy.rollout.forecast import seconds_needed
from proxy.rollout.phases import CLIMBING, WATCHED, Event, Phase, events_in
from proxy.rollout.policy import Unit
from proxy.rollout.ports import UnavailableError
from proxy.rollout.verdict import Outcome, Verdict

_BY_PEOPLE = (Event.START, Event.PAUSE, Event.RESUME, Event.BACK, Event.KILL, Event.UNKILL, Event.RETIRE)


class UnitView(msgspec.Struct, frozen=True):
    """One unit. Shares are percent, times seconds (`since`, `changed_at`: since 1970).

    `verdict`, `waits_for`, `reasons` and `verdicts` are the decision of now; `estimate` how long until the evidence
    suffices at today's traffic, None where waiting alone does not help. `possible`: what a person can ask for.
    """

    unit: str
    groups: tuple[str, ...]
    stage: int | None
    old: str
    new: str
    phase: Phase
    share: float
    steps: tuple[float, ...]
    next_step: float | None
    written: float
    build: str
    since: float
    seconds: float
    last_good: float
    confirmed: float | None
    reason: str
    by: str
    changed_at: float
    version: int
    verdict: Outcome | None
    waits_for: str
    reasons: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    estimate: float | None
    possible: tuple[str, ...]
    pending: bool


class ReplicaView(msgspec.Struct, frozen=True):
    """One edge. `agrees`: its shares are those shown here."""

    replica: str
    seconds_ago: float
    generation: int
    leads: bool
    agrees: bool
    shares: Mapping[str, float]


class RolloutView(msgspec.Struct, frozen=True):
    """All of it, as one replica sees it. `store` and `journal` say what is wrong with them, "" for nothing."""

    replica: str
    leader: str
    frozen: bool
    store: str
    journal: str
    units: tuple[UnitView, ...]
    replicas: tuple[ReplicaView, ...]


async def rollout_view(controller: Controller) -> RolloutView:
    """Everything."""
    units = tuple([await unit_view(controller, unit) for unit in controller.units.values()])
    leader, replicas = await replicas_of(controller)
    return RolloutView(
        controller.replica,
        leader,
        controller.frozen,
        controller.problem,
        controller.journal_problem,
        units,
        replicas,
    )


async def unit_view(controller: Controller, unit: Unit) -> UnitView:
    """One unit."""
    state = controller.states[unit.name]
    decision, estimate = await _decision(controller, unit)
    policy = unit.policy
    return UnitView(
        unit=unit.name,
        groups=unit.groups,
        stage=unit.stage,
        old=unit.old,
        new=unit.new,
        phase=state.phase,
        share=state.share,
        steps=() if policy is None else policy.steps,
        next_step=None if policy is None else policy.step_after(state.share),
        written=unit.percent,
        build=state.build,
        since=state.since,
        seconds=max(0.0, controller.now() - state.since) if state.since else 0.0,
        last_good=state.last_good,
        confirmed=state.confirmed,
        reason=state.reason,
        by=state.by,
        changed_at=state.changed_at,
        version=state.version,
        verdict=None if decision is None else decision.verdict,
        waits_for="" if decision is None else decision.waits_for,
        reasons=() if decision is None else decision.reasons,
        verdicts=() if decision is None else decision.verdicts,
        estimate=estimate,
        possible=tuple(
            [event.value for event in events_in(state.phase) if event in _BY_PEOPLE]
            + (["confirm"] if decision is not None and decision.waits_for == "person" else [])
        ),
        pending=unit.name in controller.pending,
    )


async def _decision(controller: Controller, unit: Unit) -> tuple[Decision | None, float | None]:
    """What would be decided now, and how long the evidence still takes."""
    state, policy = controller.states[unit.name], unit.policy
    if policy is None or state.phase not in WATCHED:
        return None, None
    evidence = await controller.evidence(unit)
    decision = decide(state, evidence, policy, controller.now(), frozen=controller.frozen)
    led = controller.decisions.get(unit.name)
    if led is not None and led.waits_for == "journal":
        decision = led
    return decision, seconds_needed(evidence, state.share, policy) if state.phase in CLIMBING else None


async def replicas_of(controller: Controller) -> tuple[str, tuple[ReplicaView, ...]]:
    """Who leads ("" for nobody), and every edge that lives."""
    mine = controller.heartbeat()
    try:
        leader, others = await controller.others()
        beats = [
            mine,
            *(beat for beat in others if beat.replica != mine.replica),
        ]  # what it told last may be older
    except UnavailableError:
        leader, beats = "", [mine]
    return leader, tuple(
        ReplicaView(
            beat.replica,
            max(0.0, controller.now() - beat.at),
            beat.generation,
            beat.replica == leader,
            dict(beat.shares) == dict(mine.shares),
            beat.shares,
        )
        for beat in sorted(beats, key=lambda one: one.replica)
    )


def gauges(controller: Controller) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Metrics: (name, labels) → value. The figures of the last tick of whoever leads; shares and phases of all."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {
        ("banyan_rollout_leader", ()): float(controller.leads),
        ("banyan_rollout_frozen", ()): float(controller.frozen),
        ("banyan_rollout_store_up", ()): float(not controller.problem),
        ("banyan_rollout_journal_up", ()): float(not controller.journal_problem),
        ("banyan_rollout_pending", ()): float(len(controller.pending)),
    }
    for name, state in controller.states.items():
        unit = (("unit", name),)
        found["banyan_rollout_share_percent", unit] = state.share
        found["banyan_rollout_phase", (*unit, ("phase", state.phase.value))] = 1.0
        found["banyan_rollout_last_good_percent", unit] = state.last_good
        found["banyan_rollout_since_timestamp_seconds", unit] = state.since
        found["banyan_rollout_changed_timestamp_seconds", unit] = state.changed_at
        policy = controller.units[name].policy
        step = None if policy is None else policy.step_after(state.share)
        if step is not None:
            found["banyan_rollout_next_step_percent", unit] = step
        estimate = controller.estimates.get(name)
        if estimate is not None and controller.leads:
            found["banyan_rollout_estimate_seconds", unit] = estimate
        decision = controller.decisions.get(name)
        if decision is None or not controller.leads:
            continue
        for verdict in decision.verdicts:
            gate = (*unit, ("group", verdict.group), ("gate", verdict.gate))
            found["banyan_rollout_gate", (*gate, ("outcome", verdict.outcome.value))] = 1.0
            for kind in ("value", "low", "high", "threshold"):
                figure = getattr(verdict, kind)
                if figure is not None:
                    found["banyan_rollout_gate_value", (*gate, ("figure", kind))] = figure
    return found
