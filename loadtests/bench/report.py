# SPDX-License-Identifier: AGPL-3.0-or-later
"""The result: JSON for programs, a table for a terminal, Markdown for `docs/performance.md`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec


class Row(msgspec.Struct, frozen=True):
    """What one subject showed of one metric in one case, over all rounds."""

    case: str
    subject: str
    metric: str
    min: float
    median: float
    max: float
    rounds: int


class Report(msgspec.Struct, frozen=True):
    """A whole run. `notes`: what was left out and what to know of the figures; `errors`: what went wrong."""

    machine: dict[str, str]
    rows: list[Row]
    notes: list[str]
    errors: list[str]

    def json(self) -> bytes:
        """The report as a JSON document, indented."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


class _Column(NamedTuple):
    """How metrics that begin with `metric` are titled and printed."""

    title: str
    metrics: tuple[str, ...]
    form: str


_COLUMNS: Final = (
    _Column("throughput ÷ nginx", ("throughput_ratio",), "{:.2f}"),
    _Column("CPU ÷ nginx", ("cpu_ratio",), "{:.2f}"),
    _Column("CPU µs/request", ("cpu_us_per_request",), "{:.1f}"),
    _Column("CPU µs/message", ("cpu_us_per_message",), "{:.1f}"),
    _Column("CPU ms", ("cpu_ms",), "{:.0f}"),
    _Column("comparing process µs/request", ("mirror_cpu_us",), "{:.0f}"),
    _Column("handed over", ("lifted_share",), "{:.2f}"),
    _Column("outcomes", ("compared_share",), "{:.2f}"),
    _Column("dropped", ("dropped_share",), "{:.2f}"),
    _Column("core busy", ("core_busy",), "{:.2f}"),
    _Column("p50 µs", ("p50_us",), "{:.0f}"),
    _Column("p50 ratio", ("p50_ratio",), "{:.2f}"),
    _Column("added p50 µs", ("added_p50_us",), "{:.0f}"),
    _Column("p50 − nginx µs", ("added_p50_over_nginx_us",), "{:+.0f}"),
    _Column("p99 µs", ("p99_us",), "{:.0f}"),
    _Column("p99 ratio", ("p99_ratio",), "{:.2f}"),
    _Column("added p99 µs", ("added_p99_us",), "{:.0f}"),
    _Column("p99 − nginx µs", ("added_p99_over_nginx_us",), "{:+.0f}"),
    _Column("longest µs", ("max_us",), "{:.0f}"),
    _Column("longest install ms", ("longest_install_ms",), "{:.2f}"),
    _Column("bytes/idle connection", ("rss_per_idle_conn_bytes",), "{:.0f}"),
    _Column("RSS MB", ("rss_mb",), "{:.0f}"),
)


def tables(rows: Iterable[Row]) -> list[tuple[str, list[list[str]]]]:
    """For each case, in order: its name and a table whose first line holds titles; cells are `min median max`."""
    cases: dict[str, list[Row]] = {}
    for row in rows:
        cases.setdefault(row.case, []).append(row)
    return [(case, _table(found)) for case, found in cases.items()]


def _table(rows: list[Row]) -> list[list[str]]:
    by_place = {(row.subject, row.metric): row for row in rows}
    present = {row.metric for row in rows}
    columns = [column for column in _COLUMNS if present.intersection(column.metrics)]
    subjects = list(dict.fromkeys(row.subject for row in rows))
    to = "nginx" if "nginx" in subjects else "the first"
    lines = [["", *(column.title.replace("nginx", to) for column in columns)]]
    for subject in subjects:
        cells = [
            next(
                (
                    _cell(by_place[subject, name], column)
                    for name in column.metrics
                    if (subject, name) in by_place
                ),
                "",
            )
            for column in columns
        ]
        lines.append([subject, *cells])
    return lines


def _cell(row: Row, column: _Column) -> str:
    values = (row.min, row.median, row.max)
    return "  ".join(column.form.format(value) for value in (values if row.rounds > 1 else values[:1]))


def as_text(report: Report) -> str:
    """For a terminal."""
    parts = []
    for case, lines in tables(report.rows):
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        parts.append(f"\n{case}  (minimum  median  maximum)")
        parts += [
            "  ".join(
                cell.ljust(width) if column == 0 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
    parts += [f"\nnote: {note}" for note in report.notes]
    parts += [f"\nERROR: {error}" for error in report.errors]
    return "\n".join(parts).lstrip("\n") + "\n"


def as_markdown(report: Report) -> str:
    """For `docs/performance.md`; medians are bold."""
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    parts = [f"{machine}. Each cell: minimum **median** maximum.", ""]
    for case, lines in tables(report.rows):
        title, *body = lines
        parts += [f"| {case} | {' | '.join(title[1:])} |", "|---" * len(title) + "|"]
        parts += [f"| {line[0]} | {' | '.join(map(_emphasised, line[1:]))} |" for line in body]
        parts.append("")
    parts += [f"- {note}" for note in report.notes]
    parts += [f"- **Error:** {error}" for error in report.errors]
    return "\n".join(parts).rstrip("\n") + "\n"


def _emphasised(cell: str) -> str:
    values = cell.split("  ")
    return f"{values[0]} **{values[1]}** {values[2]}" if len(values) == 3 else cell
