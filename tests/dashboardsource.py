# SPDX-License-Identifier: AGPL-3.0-or-later
"""A dashboard's source with a seeded state: a rollout in each of its phases, hostile names included."""

from __future__ import annotations

import math

import msgspec

from proxy.dashboard.readmodel import (
    ConfigError,
    ConfigPage,
    Distribution,
    EndpointPage,
    Event,
    FindingPage,
    FindingRow,
    GateRow,
    Outcome,
    Overview,
    Replica,
    Replicas,
    RouteRow,
    SampleRow,
    Series,
    SideFigures,
    UnitPage,
    UnitRow,
)

NOW = 1_950_000_000.0
HOSTILE = "<script>alert('x')</script>"


def wave(number: int, level: float, swing: float, phase: float = 0.0) -> tuple[float, ...]:
    """A quiet curve."""
    return tuple(round(level + swing * math.sin(phase + index / 4), 3) for index in range(number))


def side(backend: str, rate: float, errors: float, p95: float | None) -> SideFigures:
    """One side's figures, with a short history where there is traffic."""
    if p95 is None:
        return SideFigures(backend)
    return SideFigures(
        backend, rate, errors, p95 / 3, p95, wave(30, rate, rate / 8), wave(30, p95, p95 / 6, rate)
    )


def row(name: str, stage: int | None, phase: str, share: float, verdict: str, why: str) -> UnitRow:
    """A unit of the overview."""
    traffic = 4.0 + len(name)
    new = side("python", traffic * share / 100, 0.02, 31.0 if share else None)
    old = side("legacy", traffic * (100 - share) / 100, 0.05, 62.5 if share < 100 else None)
    return UnitRow(
        name, (name,), stage, phase, share, 0.0, old, new, 0.01 if share else None, 420, verdict, why
    )


UNITS = (
    row("boot-version", 0, "full", 100.0, "pass", ""),
    row("reactions-reads", 1, "ramping", 10.0, "inconclusive", "volume: 140 of 200 requests on the new side"),
    row(
        "events-reads", 1, "holding", 50.0, "pass", "all gates pass; 100 % waits for a person's confirmation"
    ),
    row("notifications-reads", 1, "rolled_back", 1.0, "fail", "errors: 0.9 points more than the old side"),
    row("discussions-reads", 2, "shadow", 0.0, "inconclusive", "differences: nothing was compared"),
    row("boot-site", 5, "killed", 0.0, "inconclusive", "killed by ana: mails went twice"),
    row("threads", 9, "legacy", 0.0, "inconclusive", ""),
    row(HOSTILE, None, "paused", 5.0, "inconclusive", HOSTILE),
)
FINDING = FindingRow("f00dfeed0001", "/body/events/*/position_key", "value", "ERR", 12, NOW - 7000, NOW - 60)


class SeededSource:
    """Answers like an edge, from what it was given. `acted` and `refusals` say what was asked of it."""

    def __init__(self, units: tuple[UnitRow, ...] = UNITS) -> None:
        self.units = units
        self.frozen = False
        self.acted: list[tuple[str, str, str, str]] = []
        self.refusals: list[tuple[str, str, str, str]] = []

    async def overview(self) -> Overview:
        """All units."""
        notes = ("Redis is away: no share rises until it is back.",)
        return Overview(7, "2f9c1ab", self.frozen, True, notes, self.units)

    async def unit(self, name: str) -> UnitPage | None:
        """One unit."""
        found = next((unit for unit in self.units if unit.name == name), None)
        if found is None:
            return None
        at = tuple(NOW - 3600 + 60 * index for index in range(60))
        series = Series(
            at,
            wave(60, 9, 1),
            wave(60, 1, 0.3),
            wave(60, 0.05, 0.02),
            wave(60, 0.06, 0.03),
            wave(60, 62, 5),
            wave(60, 31, 6),
            ((NOW - 3000, 1.0), (NOW - 1200, 10.0)),
        )
        gates = (
            GateRow("volume", name, "inconclusive", "140 of 200 requests", 140, None, None, 200, "requests"),
            GateRow("errors", name, "pass", "at most 0.21 points more", 0.01, -0.19, 0.21, 0.5, "points"),
            GateRow("tail", name, "fail", "11 % are slower than the old side's p95", 11, 8.2, 13.9, 10, "%"),
        )
        routes = tuple(
            RouteRow(f"{name}#{action}", name, found.old, found.new, 40, int(action == "show"))
            for action in ("index", "show")
        )
        actions = ("pause", "confirm", "back", "kill")
        return UnitPage(
            found, series, gates, routes, await self.journal(name, 5), 5400.0, 50.0, 1.0, NOW - 1200, NOW - 1200,
            "gates", "2f9c1ab", actions,
        )  # fmt: skip

    async def endpoint(self, route: str) -> EndpointPage | None:
        """One route."""
        if route != "events#index":
            return None
        bounds = tuple(1.5**step for step in range(20))
        bells = [tuple(math.exp(-((step - peak) ** 2) / 6) * 900 for step in range(21)) for peak in (10, 7)]
        old, new = side("legacy", 8, 0.05, 62), side("python", 2, 0.02, 31)
        statuses = (("2xx", 8120, 902), ("3xx", 40, 5), ("4xx", 12, 1), ("5xx", 4, 0))
        outcomes = (("match", 880), ("match_after_normalizing", 12), ("mismatch", 12), ("not_comparable", 3))
        return EndpointPage(
            route, "events-reads", "GET", "/api/v1/events(.:format)", "may be repeated", old, new,
            Distribution(bounds, bells[0]), Distribution(bounds, bells[1]), statuses, outcomes, (FINDING,),
        )  # fmt: skip

    async def finding(self, fingerprint: str) -> FindingPage | None:
        """One difference."""
        if fingerprint != FINDING.fingerprint:
            return None
        sample = SampleRow(
            NOW - 60, "GET /api/v1/events?discussion_id=7", "signed_in", "/body/events/0/position_key",
            {"position_key": "00001-00002"}, HOSTILE, 200, 200,
        )  # fmt: skip
        return FindingPage("events#index", FINDING, (sample,))

    async def journal(self, unit: str | None, most: int) -> tuple[Event, ...]:
        """What happened."""
        events = [
            Event(
                NOW - 1200,
                "reactions-reads",
                "advance",
                "ramping",
                1.0,
                10.0,
                "gates",
                "all gates passed at 1 %",
            ),
            Event(
                NOW - 3000,
                "reactions-reads",
                "advance",
                "ramping",
                0.0,
                1.0,
                "gates",
                "all gates passed at 0 %",
            ),
            Event(NOW - 3600, "boot-site", "kill", "killed", 1.0, 0.0, "ana", "mails went twice"),
            Event(NOW - 3700, HOSTILE, "pause", "paused", 5.0, 5.0, HOSTILE, HOSTILE),
        ]
        return tuple(event for event in events if unit in (None, event.unit))[:most]

    async def config(self) -> ConfigPage:
        """The configuration, with a file that was refused."""
        error = ConfigError(
            "routing.yaml",
            41,
            14,
            "percent-range",
            "percent: 140 is above 100",
            "write a number from 0 to 100",
        )
        return ConfigPage(
            "routing.yaml", 7, (error,), ((4121, 7), (4122, 7)), (("legacy", 2, 2), ("python", 0, 1))
        )

    async def replicas(self) -> Replicas:
        """Two edges."""
        edges = (
            Replica("edge-1", True, NOW - 1, 7, True),
            Replica("edge-2", False, NOW - 2, 6, False, "has not read the new file yet"),
        )
        return Replicas("Redis and PostgreSQL", edges)

    def version(self) -> object:
        """Changes with every action."""
        return len(self.acted)

    async def act(self, unit: str, action: str, by: str, reason: str) -> Outcome:
        """Note it, and show it."""
        self.acted.append((unit, action, by, reason))
        if action == "confirm":
            return Outcome(False, "cannot confirm while ramping")
        if action in ("freeze", "thaw"):
            self.frozen = action == "freeze"
        phases = {"pause": "paused", "kill": "killed", "back": "rolled_back"}
        self.units = tuple(
            msgspec.structs.replace(one, phase=phases.get(action, one.phase)) if one.name == unit else one
            for one in self.units
        )
        return Outcome(True, f"{action} {unit}".strip())

    async def refused(self, unit: str, action: str, by: str, why: str) -> None:
        """Note it."""
        self.refusals.append((unit, action, by, why))
