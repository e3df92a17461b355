# SPDX-License-Identifier: AGPL-3.0-or-later
"""What pages and their JSON twins show. Shares are percent, rates per second, latencies milliseconds, moments seconds
since 1970."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec


class SideFigures(msgspec.Struct, frozen=True):
    """One side of a unit, route or group: the last minute, and the minutes before as short series, oldest first."""

    backend: str
    rate: float = 0.0
    errors: float = 0.0
    """Percent of requests that failed."""
    p50_ms: float | None = None
    p95_ms: float | None = None
    rates: tuple[float, ...] = ()
    p95s: tuple[float, ...] = ()


class UnitRow(msgspec.Struct, frozen=True):
    """A unit on the overview."""

    name: str
    groups: tuple[str, ...]
    stage: int | None
    phase: str
    share: float
    wanted: float
    """What the routing file says: where it starts."""
    old: SideFigures
    new: SideFigures
    differing: float | None = None
    """Percent of compared answers that differ; None where none was compared."""
    compared: int = 0
    verdict: str = "inconclusive"
    why: str = ""
    waits_for: str = ""


class Overview(msgspec.Struct, frozen=True):
    """The first page. `notes`: what an operator should know at once (Redis away, frozen, a rejected file)."""

    generation: int
    build: str
    frozen: bool
    leader: bool
    notes: tuple[str, ...]
    units: tuple[UnitRow, ...]


class GateRow(msgspec.Struct, frozen=True):
    """One gate on one group: what was measured, against what."""

    gate: str
    group: str
    outcome: str
    reason: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    threshold: float | None = None
    unit: str = ""


class RouteRow(msgspec.Struct, frozen=True):
    """One route of a unit."""

    route: str
    group: str
    old: SideFigures
    new: SideFigures
    compared: int = 0
    findings: int = 0


class Event(msgspec.Struct, frozen=True):
    """A row of the journal."""

    at: float
    unit: str
    event: str
    phase: str
    share_before: float
    share: float
    by: str
    reason: str
    replica: str = ""


class Series(msgspec.Struct, frozen=True):
    """Both sides over time. All tuples are as long as `at`; `steps` are moments and the share from then on."""

    at: tuple[float, ...] = ()
    old_rate: tuple[float, ...] = ()
    new_rate: tuple[float, ...] = ()
    old_errors: tuple[float, ...] = ()
    new_errors: tuple[float, ...] = ()
    old_p95: tuple[float, ...] = ()
    new_p95: tuple[float, ...] = ()
    steps: tuple[tuple[float, float], ...] = ()


class UnitPage(msgspec.Struct, frozen=True):
    """Everything about one unit. `estimate`: seconds until the evidence suffices, None where time alone does not help;
    `next_step` None at the top; `actions`: what may be done now."""

    row: UnitRow
    series: Series
    gates: tuple[GateRow, ...]
    routes: tuple[RouteRow, ...]
    journal: tuple[Event, ...]
    estimate: float | None
    next_step: float | None
    last_good: float
    since: float
    changed_at: float
    by: str
    build: str
    actions: tuple[str, ...]


class Distribution(msgspec.Struct, frozen=True):
    """Latencies of one side: how many requests up to each bound (ms); the last count is of those beyond."""

    bounds_ms: tuple[float, ...]
    counts: tuple[float, ...]


class FindingRow(msgspec.Struct, frozen=True):
    """An open difference."""

    fingerprint: str
    field: str
    kind: str
    severity: str
    times: int
    first_seen: float
    last_seen: float
    approved_by: str = ""


class EndpointPage(msgspec.Struct, frozen=True):
    """One route: both sides' latencies and statuses, outcomes of comparing, findings."""

    route: str
    group: str
    methods: str
    path: str
    repeat: str
    old: SideFigures
    new: SideFigures
    old_latency: Distribution
    new_latency: Distribution
    statuses: tuple[tuple[str, int, int], ...]
    """Class of status, requests on the old side, on the new."""
    outcomes: tuple[tuple[str, int], ...]
    findings: tuple[FindingRow, ...]


class SampleRow(msgspec.Struct, frozen=True):
    """One time a difference was seen, redacted."""

    at: float
    request: str
    role: str
    pointer: str
    old_value: Any
    new_value: Any
    old_status: int
    new_status: int


class FindingPage(msgspec.Struct, frozen=True):
    """One difference, with its samples."""

    route: str
    finding: FindingRow
    samples: tuple[SampleRow, ...]


class ConfigError(msgspec.Struct, frozen=True):
    """What is wrong with the file on disk."""

    file: str
    line: int
    column: int
    code: str
    message: str
    remedy: str


class ConfigPage(msgspec.Struct, frozen=True):
    """What runs, and what was refused."""

    file: str
    generation: int
    rejected: tuple[ConfigError, ...]
    workers: tuple[tuple[int, int], ...]
    """Process and generation of each."""
    backends: tuple[tuple[str, int, int], ...]
    """Name, addresses that answer, addresses."""


class Replica(msgspec.Struct, frozen=True):
    """One edge. `agrees`: its shares are the ones decided."""

    name: str
    leader: bool
    seen: float
    generation: int
    agrees: bool
    note: str = ""


class Replicas(msgspec.Struct, frozen=True):
    """All edges that were seen lately, and how they are joined."""

    joined_by: str
    replicas: tuple[Replica, ...]


class Outcome(msgspec.Struct, frozen=True):
    """What came of an action."""

    ok: bool
    message: str


class Source(Protocol):
    """Where the dashboard gets everything from. None: there is no such thing. Raises nothing."""

    async def overview(self) -> Overview:
        """All units."""

    async def unit(self, name: str) -> UnitPage | None:
        """One unit, by its name or one of its groups'."""

    async def endpoint(self, route: str) -> EndpointPage | None:
        """One route."""

    async def finding(self, fingerprint: str) -> FindingPage | None:
        """One difference."""

    async def journal(self, unit: str | None, most: int) -> tuple[Event, ...]:
        """What happened, the newest first."""

    async def config(self) -> ConfigPage:
        """The configuration."""

    async def replicas(self) -> Replicas:
        """All edges."""

    def version(self) -> object:
        """Changes when a page may show something else."""

    async def act(self, unit: str, action: str, by: str, reason: str) -> Outcome:
        """Do what an operator asks: `start`, `pause`, `resume`, `confirm`, `back`, `kill`, `unkill`; without a unit
        `freeze`, `thaw`."""

    async def refused(self, unit: str, action: str, by: str, why: str) -> None:
        """Note an action that was not allowed."""
