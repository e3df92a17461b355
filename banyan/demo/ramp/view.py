# SPDX-License-Identifier: AGPL-3.0-or-later
"""The ramp as people watch it: on a terminal, or line by line. Pure: state in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Group as Stacked
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from banyan.demo.admin import Figures, Stats, Unit
from banyan.demo.live import SIDES, clock, percent
from banyan.demo.ramp.account import Account, Answers
from banyan.demo.ramp.story import Story

_BAR = 60
_AROUND_STORY = 24
"""Lines that everything but the story may take."""
_SIGNS = {"pass": ("✓", "green"), "fail": ("✗", "bold red"), "inconclusive": ("…", "yellow")}


@dataclass(slots=True)
class Watched:
    """The state of a ramp. `stats` are of the last seconds."""

    unit: Unit
    story: Story
    edge_url: str
    dashboard: str
    account: Account = field(default_factory=Account)
    stats: Stats = field(default_factory=lambda: Stats(1))
    elapsed: float = 0.0

    @property
    def sides(self) -> Mapping[str, Figures]:
        """Each side's figures, over the unit's groups."""
        found = dict.fromkeys(SIDES, Figures())
        for name in self.unit.groups:
            for side, figures in self.stats.groups[name].sides.items() if name in self.stats.groups else ():
                found[side] = _with(found.get(side, Figures()), figures)
        return found

    @property
    def wait(self) -> str:
        """What the controller says just now."""
        why = "; ".join(self.unit.reasons)
        return f"waits for {self.unit.waits_for}: {why}" if self.unit.waits_for else why


def _with(one: Figures, other: Figures) -> Figures:
    """Two groups' figures as one; percentiles do not add up, so the slower ones stand for both."""
    return Figures(
        one.requests + other.requests,
        one.errors + other.errors,
        one.rate + other.rate,
        max(one.p50_ms, other.p50_ms),
        max(one.p95_ms, other.p95_ms),
    )


def render(watched: Watched, height: int) -> RenderableType:
    """The whole view, for a terminal with so many lines."""
    unit = watched.unit
    head = Text.assemble(
        ("Banyan", "bold"), f"  {clock(watched.elapsed)}  ", (unit.unit, "bold"), f"  {unit.phase}"
    )
    lines = max(height - _AROUND_STORY, 3)
    return Stacked(
        head,
        Text(f"edge {watched.edge_url}  dashboard {watched.dashboard}", "dim", overflow="fold"),
        Text(),
        _bar(watched),
        _steps(unit),
        Text(),
        _sides(watched),
        Text(),
        *_verdict(watched),
        Text(),
        *(
            Text(line, _style(line), no_wrap=True, overflow="ellipsis")
            for line in watched.story.lines[-lines:]
        ),
        Text(),
        _users(watched.account),
    )


def _bar(watched: Watched) -> Text:
    """The share asked for, as a bar; below 1/60 it still shows."""
    share = watched.unit.share
    new = min(_BAR, max(round(_BAR * share / 100), 1 if share else 0))
    old, fresh = SIDES
    return Text.assemble(
        (f"{old:6} ", "dim"),
        ("─" * (_BAR - new), "dim"),
        ("█" * new, "bold cyan"),
        f" {fresh} {percent(share)}",
    )


def _steps(unit: Unit) -> Text:
    """The ramp, with where it is."""
    parts: list[tuple[str, str]] = [("ramp   ", "dim")]
    for step in (0.0, *unit.steps):
        arrow = "" if len(parts) == 1 else " → "
        parts += [(arrow, "dim"), (percent(step), "bold cyan" if step == unit.share else "")]
    return Text.assemble(*parts)


def _sides(watched: Watched) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), expand=False, header_style="dim")
    table.add_column("side", no_wrap=True, min_width=7)
    for name in ("req/s", "p50 ms", "p95 ms", "errors"):
        table.add_column(name, justify="right", no_wrap=True, min_width=8)
    for side, figures in watched.sides.items():
        times = (f"{figures.p50_ms:.1f}", f"{figures.p95_ms:.1f}") if figures.requests else ("–", "–")
        errors = Text(f"{figures.errors:,}", "bold red" if figures.errors else "")
        table.add_row(side, f"{figures.rate:.1f}", *times, errors)
    return table


def _verdict(watched: Watched) -> list[RenderableType]:
    unit = watched.unit
    lines: list[RenderableType] = [
        Text.assemble(
            ("verdict ", "dim"),
            (unit.verdict or "–", "bold"),
            f"  {watched.wait}",
            no_wrap=True,
            overflow="ellipsis",
        )
    ]
    for gate in unit.verdicts:
        sign, style = _SIGNS.get(gate.outcome, ("?", ""))
        lines.append(
            Text.assemble(
                (f"{sign} ", style),
                f"{gate.gate:12}",
                (gate.reason, "dim"),
                no_wrap=True,
                overflow="ellipsis",
            )
        )
    return lines


def _style(line: str) -> str:
    return "bold red" if "fail" in line else "bold green" if "back on the old side" in line else ""


def _users(account: Account) -> Text:
    parts: list[str | tuple[str, str]] = ["users got "]
    stages = {"before": account.before, "during": account.during, "after": account.after}
    for name, answers in stages.items():
        if answers.all or name == "before":
            parts += [f"{answers.all:,} answers {name} the fault, ", _wrong(answers), "; "]
    return Text.assemble(*parts[:-1])


def _wrong(answers: Answers) -> tuple[str, str]:
    return f"{answers.wrong:,} wrong", "bold red" if answers.wrong else "bold green"


def plain_line(watched: Watched) -> str:
    """The state in one line without colours."""
    unit, account = watched.unit, watched.account
    rates = ", ".join(f"{side} {figures.rate:.0f}/s" for side, figures in watched.sides.items())
    answers = account.before.all + account.during.all + account.after.all
    wrong = account.before.wrong + account.during.wrong + account.after.wrong
    return (
        f"{clock(watched.elapsed)}  {unit.unit} {unit.phase} at {percent(unit.share)}; {rates}; "
        f"{answers:,} answers, {wrong:,} wrong; {watched.wait}"
    )
