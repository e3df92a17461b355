# SPDX-License-Identifier: AGPL-3.0-or-later
"""The live view: groups × sides on a terminal, one line every few seconds on a pipe. Pure: state in, text out."""

from __future__ import annotations

from rich.console import Group as Stacked
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from banyan.demo.admin import Figures, Group
from banyan.demo.live import SIDES, Live, is_moving, name_of, percent, seen

_AROUND_TABLE = 15
"""Lines that everything but the table's rows may take."""

_FEWEST_ROWS = 4


def render(live: Live, height: int) -> RenderableType:
    """The whole view, for a terminal with so many lines."""
    return Stacked(*_head(live), _table(live, max(height - _AROUND_TABLE, _FEWEST_ROWS)), *_foot(live))


def _head(live: Live) -> list[RenderableType]:
    title = Text.assemble(
        ("Banyan", "bold"), f"  {live.clock}  edge on {live.edge_url}  ", (_generation(live), "bold")
    )
    return [title, Text()]


def _generation(live: Live) -> str:
    return f"generation {live.stats.generation}"


def _table(live: Live, rows: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), expand=False, header_style="dim")
    table.add_column("group", overflow="ellipsis", no_wrap=True, max_width=21)
    table.add_column("side", no_wrap=True)
    for name in ("asked", "seen", "req/s", "p50 ms", "p95 ms", "errors"):
        table.add_column(name, justify="right", no_wrap=True)
    groups = live.stats.groups
    moving = sorted(name for name, group in groups.items() if is_moving(group))
    for name in moving:
        _add_moving(table, name, groups[name])
    still = [name for name, group in groups.items() if not is_moving(group) and _rate(group)]
    still.sort(key=lambda name: -_rate(groups[name]))
    room = max(rows - table.row_count - 1, 0)
    for name in still[:room]:
        _add_still(table, name_of(name), groups[name])
    if rest := still[room:]:
        _add_rest(table, [groups[name] for name in rest], others=bool(room))
    return table


def _add_moving(table: Table, name: str, group: Group) -> None:
    """A row for each side: the old one's while it has something to do, the new one's with the share asked for."""
    old, new = SIDES
    sides = [side for side in (old, new, *group.sides) if side != old or _is_used(group, old)]
    for index, side in enumerate(dict.fromkeys(sides)):
        table.add_row(
            Text(name_of(name), "bold") if index == 0 else "",
            side,
            percent(group.percent or 0.0) if side == new else "",
            _seen(group, side),
            *_figures(group.sides.get(side, Figures())),
        )


def _is_used(group: Group, side: str) -> bool:
    return group.percent != 100 or bool(group.sides.get(side, Figures()).requests)


def _add_still(table: Table, name: str, group: Group) -> None:
    for side, figures in group.sides.items():
        if figures.requests:
            table.add_row(Text(name, "dim"), side, "0 %", _seen(group, side), *_figures(figures))
            name = ""


def _add_rest(table: Table, groups: list[Group], *, others: bool) -> None:
    """What there is no room for, in one row; percentiles do not add up, so there are none."""
    all_figures = [figures for group in groups for figures in group.sides.values()]
    rate = sum(figures.rate for figures in all_figures)
    errors = sum(figures.errors for figures in all_figures)
    name = f"{len(groups)} {'more' if others else 'groups'} at 0 %"
    table.add_row(Text(name, "dim"), "", "0 %", "", f"{rate:.1f}", "", "", _count(errors))


def _figures(figures: Figures) -> tuple[RenderableType, ...]:
    if not figures.requests:
        return ("0.0", "–", "–", _count(0))
    return f"{figures.rate:.1f}", _ms(figures.p50_ms), _ms(figures.p95_ms), _count(figures.errors)


def _ms(value: float) -> str:
    """Milliseconds with as many digits as say something."""
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _seen(group: Group, side: str) -> str:
    share = seen(group, side)
    return "–" if share is None else f"{share:.1%}".replace("%", " %")


def _rate(group: Group) -> float:
    return sum(figures.rate for figures in group.sides.values())


def _count(number: int) -> Text:
    return Text(f"{number:,}", "bold red" if number else "")


def _foot(live: Live) -> list[RenderableType]:
    tally = live.tally
    counts = Text.assemble(
        f"{tally.requests:,} answers compared with their recordings: ",
        _counted(tally.mismatches, "differs", "differ"),
        ", ",
        _counted(tally.edge_errors, "edge error", "edge errors"),
    )
    times = Text(f"from request to last byte, at the visitor: {_percentiles(live)}", "dim")
    legend = Text("asked: share of users, who keep their side; seen: share of requests", "dim")
    lines: list[RenderableType] = [legend, Text(), counts, times]
    lines += [Text(str(finding), "red") for finding in tally.findings[-1:]]
    lines += [Text(event, "red" if live.rejected else "yellow") for event in live.events[-1:]]
    if live.hint is not None:
        lines += [Text(), Text(live.hint.edit), Text(f"{live.hint.effect} Ctrl-C ends.", "dim")]
    return lines


def _counted(number: int, one: str, many: str) -> Text:
    return Text(f"{number:,} {one if number == 1 else many}", "bold red" if number else "bold green")


def _percentiles(live: Live) -> str:
    latencies = live.tally.latencies
    return ", ".join(f"p{share:g} {_ms(latencies.percentile_ms(share / 100))} ms" for share in (50, 95, 99))


def plain_line(live: Live) -> str:
    """The state in one line without colours."""
    tally = live.tally
    moving = [group for group in live.stats.groups.values() if is_moving(group)]
    moved = " ".join(f"{side} {rate:.0f}/s" for side, rate in side_rates(live).items())
    return (
        f"{live.clock}  {tally.requests:,} answers, {_counted(tally.mismatches, 'differs', 'differ').plain}, "
        f"{_counted(tally.edge_errors, 'edge error', 'edge errors').plain}; {moved}; "
        f"p50 {_ms(tally.latencies.percentile_ms(0.5))} ms; {_generation(live)}, {len(moving)} moving"
    )


def side_rates(live: Live) -> dict[str, float]:
    """Requests per second by side."""
    rates: dict[str, float] = dict.fromkeys(SIDES, 0.0)
    for group in live.stats.groups.values():
        for side, figures in group.sides.items():
            rates[side] = rates.get(side, 0.0) + figures.rate
    return rates
