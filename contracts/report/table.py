# SPDX-License-Identifier: AGPL-3.0-or-later
"""The report for a terminal."""

from __future__ import annotations

import io

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.report import words
from contracts.report.curl import repeat
from contracts.report.model import Judged, Report, RouteReport, Verdict
from contracts.report.values import clean, short, side_by_side
from proxy.experiment.outcome import Outcome, Severity

MOST_FINDINGS = 50
"""Findings shown with a sample; the rest is in the other forms."""
MOST_ROUTES = 100
_STYLE = {Severity.ERR: "bold red", Severity.WARN: "yellow", Severity.INFO: "dim"}


def render(report: Report, *, width: int, color: bool) -> str:
    """Text of so many columns."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=color,
        color_system="auto" if color else None,
        highlight=False,
        soft_wrap=False,
    )
    console.print(Text(clean(report.title), "bold"), Text(clean(report.scope), "dim"))
    style = {Verdict.CLEAN: "bold green", Verdict.FINDINGS: "bold red"}.get(report.verdict, "bold yellow")
    console.print(Text(words.verdict(report), style))
    _outcomes(console, report)
    if report.routes:
        console.print(_routes(report.routes[:MOST_ROUTES]))
    if len(report.routes) > MOST_ROUTES:
        console.print(
            f"… and {words.plural(len(report.routes) - MOST_ROUTES, 'more endpoint')} without findings above theirs"
        )
    for judged in report.open[:MOST_FINDINGS]:
        _finding(console, judged)
    left = len(report.open) - MOST_FINDINGS
    if left > 0 or report.unread:
        console.print(
            f"\n… and {words.plural(max(left, 0) + report.unread, 'more finding')}: narrow with --route, or --json"
        )
    _rest(console, report)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _outcomes(console: Console, report: Report) -> None:
    for outcome, times in report.outcomes.items():
        if times:
            part = words.share(times, report.comparisons)
            console.print(f"  {words.OUTCOMES[outcome]:<18} {words.number(times):>12}  {part:>8}")
    for why, times in report.reasons.items():
        console.print(Text(f"    {words.number(times):>10} {words.REASONS[why]}", "dim"))


def _routes(routes: tuple[RouteReport, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("endpoint", overflow="fold")
    for name in ("pairs", "same", "different", "failed", "not comparable", "open", "approved"):
        table.add_column(name, justify="right")
    for route in routes:
        outcomes = route.endpoint.outcomes
        table.add_row(
            Text(clean(route.route)),
            words.number(route.endpoint.comparisons),
            words.share(route.same, route.compared),
            words.number(outcomes[Outcome.MISMATCH]),
            words.number(outcomes[Outcome.ERROR_ONE_SIDE]),
            words.number(outcomes[Outcome.NOT_COMPARABLE]),
            Text(str(len(route.open)), "bold red" if route.open else ""),
            str(len(route.approved)),
        )
    return table


def _finding(console: Console, judged: Judged) -> None:
    found = judged.found
    console.print()
    console.print(
        Text.assemble(
            (f"{found.severity:<4} ", _STYLE[found.severity]),
            (clean(found.route), "bold"),
            f"  {clean(found.field)}  {words.KINDS[found.kind]}, {words.plural(found.times, 'time')}",
        )
    )
    if judged.explanation:
        console.print(Text(f"     {clean(judged.explanation)}"))
    for sample in found.samples[-1:]:
        old, new = side_by_side(found.kind, sample.control, sample.candidate)
        for side, parts in (("old", old), ("new", new)):
            console.print(
                Text.assemble(
                    f"     {side}  ", parts.before, (short(parts.differs, 300), "reverse"), parts.after
                )
            )
        console.print(Text(f"     {repeat(sample)}", "dim"), soft_wrap=True)
    console.print(Text(f"     banyan contracts approve {found.fingerprint} --reason '…'", "dim"))


def _rest(console: Console, report: Report) -> None:
    for route in report.routes:
        for judged in route.approved:
            title = f"{judged.found.route}  {judged.found.field}  {words.approved(judged)}"
            console.print(Text(f"ok   {clean(title)}", "dim"))
    for route in report.routes:
        for dimension, values in route.missing.items():
            told = short(", ".join(values), 200)
            console.print(
                Text(
                    f"not seen yet  {clean(route.route)}  {words.DIMENSIONS[dimension]}: {clean(told)}", "dim"
                )
            )
    if report.never_compared:
        told = clean(", ".join(report.never_compared))
        console.print(
            Text(f"recorded, never compared ({len(report.never_compared)}): {short(told, 400)}", "dim")
        )
    for one in (*report.lost, *(one for route in report.routes for one in route.endpoint.lost)):
        console.print(Text(f"lost  {clean(one.route)}  {words.lost(one)}", "yellow"))
