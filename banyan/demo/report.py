# SPDX-License-Identifier: AGPL-3.0-or-later
"""The end of a demo: the object for machines, the verdict, the summary for people. All but `write` is pure."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from banyan.demo.admin import Stats
from banyan.demo.live import name_of, percent
from banyan.demo.ramp.report import RampReport, ramp_summary
from banyan.demo.tally import GroupTally, Tally

_FEWEST_PER_SECOND: Final = 50
"""A demo that made fewer requests than this was no demonstration: something was in the way."""

_SHOWN_NOTES: Final = 12


class GroupReport(msgspec.Struct, frozen=True):
    """One group; latencies as its visitors saw them, both sides together."""

    percent: float
    requests: int
    p50_ms: float
    p95_ms: float
    errors: int


class Report(msgspec.Struct, frozen=True):
    """What a demo came to; the form is a promise to scripts (see the CHANGELOG before changing it).

    `sides` counts the requests that each side answered, by the edge's own count. `edge_errors` are answers that
    the edge made itself and connections that failed. `mismatches` are answers that differ in meaning from their
    recording. `ramp` is there after `demo --ramp`.
    """

    seconds: float
    requests: int
    recorded_requests: int
    edge_errors: int
    mismatches: int
    sides: dict[str, int]
    groups: dict[str, GroupReport]
    latency_ms: dict[str, float]
    generation: int
    notes: list[str]
    ramp: RampReport | msgspec.UnsetType = msgspec.UNSET


def make_report(seconds: float, tally: Tally, stats: Stats, sides: Sequence[str], notes: list[str]) -> Report:
    """Sum up. `stats` are the edge's figures since the start, `sides` the names of those that have to appear."""
    counts = dict.fromkeys(sides, 0)
    for group in stats.groups.values():
        for side, figures in group.sides.items():
            counts[side] = counts.get(side, 0) + figures.requests
    shares = {name: group.percent or 0.0 for name, group in stats.groups.items()}
    names = [name for name, share in shares.items() if share or name in tally.groups]
    names += [name for name in tally.groups if name not in shares]
    return Report(
        seconds=round(seconds, 2),
        requests=tally.requests,
        recorded_requests=tally.requests,  # nothing else is asked
        edge_errors=tally.edge_errors,
        mismatches=tally.mismatches,
        sides=counts,
        groups={
            name_of(name): _group(shares.get(name, 0.0), tally.groups.get(name, GroupTally()))
            for name in sorted(names)
        },
        latency_ms={f"p{share}": tally.latencies.percentile_ms(share / 100) for share in (50, 95, 99)},
        generation=stats.generation,
        notes=[*map(str, tally.findings), *notes],
    )


def _group(share: float, tally: GroupTally) -> GroupReport:
    p50, p95 = (tally.latencies.percentile_ms(part) for part in (0.5, 0.95))
    return GroupReport(share, tally.requests, p50, p95, tally.errors)


def shortcomings(report: Report, asked_seconds: float | None) -> list[str]:
    """Why this demo failed; empty when it did not. Who ends it by hand is not held to sides and numbers."""
    found = []
    if report.edge_errors:
        found.append(f"{report.edge_errors} requests got an error of the edge, or no answer")
    if report.mismatches:
        found.append(f"{report.mismatches} answers differ from their recording")
    if asked_seconds is None:
        return found
    unused = [side for side, requests in report.sides.items() if not requests]
    if unused:
        found.append(f"nothing went to {' and '.join(unused)}; is every percent 0, or a backend down?")
    if report.requests < _FEWEST_PER_SECOND * asked_seconds:
        found.append(f"only {report.requests:,} requests in {report.seconds:g} s; the machine is too busy")
    return found


def summary(report: Report, failed: list[str]) -> str:
    """The end of a demo for people: at most 80 columns, no colours."""
    total = sum(report.sides.values()) or 1
    sides = ", ".join(f"{side} {count:,} ({count / total:.1%})" for side, count in report.sides.items())
    latency = ", ".join(f"{name} {value:.1f} ms" for name, value in report.latency_ms.items())
    per_second = report.requests / max(report.seconds, 0.01)
    lines = [
        *(() if report.ramp is msgspec.UNSET else (*ramp_summary(report.ramp), "")),
        f"{report.requests:,} recorded requests in {report.seconds:.1f} s, {per_second:.0f} per second",
        f"  edge errors  {report.edge_errors:,}",
        f"  mismatches   {report.mismatches:,}  answers that say something else than their recording",
        f"  sides        {sides}",
        f"  latency      {latency}",
        f"  generation   {report.generation}",
        "",
        *_group_lines(report),
    ]
    if report.notes:
        lines += ["", *(f"  {note}" for note in report.notes[:_SHOWN_NOTES])]
        if len(report.notes) > _SHOWN_NOTES:
            lines.append(f"  … and {len(report.notes) - _SHOWN_NOTES} more; --report has them all")
    lines += ["", *(f"FAILED: {one}" for one in failed)] if failed else ["", _well(report)]
    return "\n".join(lines)


def _well(report: Report) -> str:
    """The last word where nothing failed. That a new side broke is not called well."""
    if report.ramp is msgspec.UNSET:
        return "All is well."
    told = report.ramp.rollback_s is not None
    return "The rollout went as it should." if told else "Ended by hand; until then, nothing went wrong."


def _group_lines(report: Report) -> list[str]:
    """The groups that move, and the others in one line."""
    moving = {name: group for name, group in report.groups.items() if group.percent}
    width = max([len(name) for name in moving] + [len("group"), 18])
    lines = [f"  {'group':{width}} {'share':>8} {'requests':>9} {'p50 ms':>8} {'p95 ms':>8} {'errors':>7}"]
    for name, group in moving.items():
        lines.append(
            f"  {name:{width}} {percent(group.percent):>8} {group.requests:>9,} "
            f"{group.p50_ms:>8.1f} {group.p95_ms:>8.1f} {group.errors:>7,}"
        )
    still = [group for group in report.groups.values() if not group.percent]
    if still:
        requests, errors = sum(group.requests for group in still), sum(group.errors for group in still)
        name = f"{len(still)} at 0 %"
        lines.append(f"  {name:{width}} {'0 %':>8} {requests:>9,} {'':>8} {'':>8} {errors:>7,}")
    return lines


def as_json(report: Report) -> bytes:
    """The object, indented, with a line end."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def write(report: Report, path: Path) -> None:
    """Write the object to `path`, whole or not at all. Raises `OSError`."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(as_json(report))
        Path(draft).chmod(0o644)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
