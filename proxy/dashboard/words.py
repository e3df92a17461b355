# SPDX-License-Identifier: AGPL-3.0-or-later
"""How pages say numbers, moments and states. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

from proxy.dashboard.readmodel import UnitRow

PHASES: Final = {
    "legacy": "Legacy",
    "shadow": "Comparing",
    "ramping": "Ramping",
    "holding": "Holding",
    "soaking": "Soaking",
    "full": "Full",
    "retired": "Retired",
    "rolled_back": "Rolled back",
    "paused": "Paused",
    "killed": "Killed",
}
SIGNS: Final = {"pass": "✓", "fail": "✗", "inconclusive": "…"}
ACTIONS: Final = {
    "start": ("Start", "Compare answers, then begin to raise the share"),
    "pause": ("Pause", "Keep the share where it is"),
    "resume": ("Resume", "Go on raising"),
    "confirm": ("Confirm", "Agree to the next step"),
    "back": ("Roll back", "Everything back to the old side"),
    "kill": ("Kill", "Everything to the old side at once, whatever else is known"),
    "unkill": ("Unkill", "Lift the kill; the share stays at 0 until somebody starts"),
    "freeze": ("Freeze all", "No share of any unit is raised"),
    "thaw": ("Thaw all", "Shares may be raised again"),
}


def moment(at: float) -> str:
    """A moment in UTC; nothing where there is none."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}" if at else "–"


def span(seconds: float | None) -> str:
    """About how long."""
    if seconds is None:
        return "time alone does not help"
    if seconds < 1:
        return "now"
    for name, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {name}" if seconds >= 10 * size else f"{seconds / size:.1f} {name}"
    return f"{seconds:.0f} s"


def number(value: float | None, digits: int = 1) -> str:
    """A figure; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """A percentage, as exact as it matters."""
    if value is None:
        return "–"
    return f"{value:.2f} %" if 0 < value < 1 else f"{value:.3g} %"


def phase(name: str) -> str:
    """A phase in words."""
    return PHASES.get(name, name)


def sign(outcome: str) -> str:
    """A verdict's sign."""
    return SIGNS.get(outcome, "?")


def action(name: str) -> tuple[str, str]:
    """What a button says, and what it means."""
    return ACTIONS[name]


def by_stage(units: Iterable[UnitRow]) -> list[tuple[str, list[UnitRow]]]:
    """Units under their stage's heading, in the order in which stages move; those without one last."""
    ordered = sorted(units, key=lambda unit: (unit.stage is None, unit.stage or 0))
    return [
        ("Without a stage" if stage is None else f"Stage {stage}", list(those))
        for stage, those in groupby(ordered, key=lambda unit: unit.stage)
    ]


def shown(value: Any) -> str:
    """A value of a sample, as JSON."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "moment": moment,
    "span": span,
    "number": number,
    "percent": percent,
    "phase": phase,
    "sign": sign,
    "action": action,
    "by_stage": by_stage,
    "shown": shown,
}
