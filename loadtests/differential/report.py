# SPDX-License-Identifier: AGPL-3.0-or-later
"""The reasons on record, and the table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from loadtests.differential.outcome import Difference, Outcome, compare
from loadtests.differential.probes import Probe

Result = tuple[Probe, Mapping[str, Outcome]]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the edge may stand apart in classes that match `kind` (a glob)."""

    difference: Difference
    kind: str
    why: str


def read_reasons(file: Path) -> list[Reason]:
    """The file: difference → list of {class, reason}."""
    told = yaml.safe_load(file.read_text())
    return [
        Reason(Difference(difference), entry["class"], entry["reason"])
        for difference, entries in told.items()
        for entry in entries or ()
    ]


@dataclass(frozen=True, slots=True)
class Apart:
    """A class in which the edge stands apart."""

    difference: Difference
    kind: str
    count: int
    example: Result
    reason: str | None


def differences(results: Iterable[Result], reasons: Sequence[Reason]) -> list[Apart]:
    """Every class in which the edge stands apart, with the reason on record."""
    found: dict[tuple[Difference, str], list[Result]] = defaultdict(list)
    for probe, outcomes in results:
        difference = compare(outcomes)
        if difference is not None:
            found[difference, probe.kind].append((probe, outcomes))
    order = list(Difference)
    return [
        Apart(difference, kind, len(examples), examples[0], _reason(difference, kind, reasons))
        for (difference, kind), examples in sorted(
            found.items(), key=lambda item: (order.index(item[0][0]), item[0][1])
        )
    ]


def _reason(difference: Difference, kind: str, reasons: Sequence[Reason]) -> str | None:
    for reason in reasons:
        if reason.difference is difference and fnmatchcase(kind, reason.kind.replace("[", "[[]")):
            return reason.why
    return None


def unexplained(apart: Iterable[Apart]) -> list[Apart]:
    """What must not be: the edge alone lets something through, or passes on something else, without a reason."""
    return [one for one in apart if one.reason is None and one.difference is not Difference.STRICTER]


_TITLES = {
    Difference.LETS_THROUGH: "The edge passes what all others stop",
    Difference.SEES_OTHERWISE: "All pass it, and the edge alone passes on something else",
    Difference.STRICTER: "The edge stops what all others pass",
}


def render(results: Sequence[Result], apart: Sequence[Apart], names: Sequence[str]) -> str:
    """The report as text."""
    lines = [_table(results, names)]
    for difference, title in _TITLES.items():
        mine = [one for one in apart if one.difference is difference]
        lines.append(f"\n{title}: {sum(one.count for one in mine)} probes of {len(mine)} classes")
        for why, classes in _by_reason(mine).items():
            lines.append(f"  {why}")
            lines += [
                f"    {one.count:>4}  {one.kind}{_detail(one) if one.reason is None else ''}"
                for one in classes
            ]
    return "\n".join(lines)


def _by_reason(apart: Iterable[Apart]) -> dict[str, list[Apart]]:
    grouped: dict[str, list[Apart]] = defaultdict(list)
    for one in apart:
        grouped[one.reason or "NO REASON ON RECORD"].append(one)
    return grouped


def _detail(apart: Apart) -> str:
    probe, outcomes = apart.example
    told = ", ".join(f"{name} {_tell(outcome)}" for name, outcome in outcomes.items())
    return f"\n          {probe.data[:160]!r}\n          {told}"


def _tell(outcome: Outcome) -> str:
    seen = "; ".join(
        f"{seen.method} {seen.target[:40]} {seen.host[:30]} {len(seen.body)}" for seen in outcome.seen
    )
    return f"{outcome.verdict} {list(outcome.statuses)}{f' ({seen})' if seen else ''}"


def _table(results: Sequence[Result], names: Sequence[str]) -> str:
    """Per group of classes: how many probes, and how many of them each proxy passes."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for probe, outcomes in results:
        group = counts[probe.group]
        group["probes"] += 1
        group.update(name for name in names if outcomes[name].passes)
    header = f"{'class':<28}{'probes':>8}" + "".join(f"{name + ' passes':>17}" for name in names)
    rows = [
        f"{group:<28}{count['probes']:>8}" + "".join(f"{count[name]:>17}" for name in names)
        for group, count in sorted(counts.items())
    ]
    total = [sum(count[name] for count in counts.values()) for name in ("probes", *names)]
    last = f"{'all':<28}{total[0]:>8}" + "".join(f"{number:>17}" for number in total[1:])
    return "\n".join([header, *rows, last])


def as_json(
    results: Sequence[Result], apart: Sequence[Apart], names: Sequence[str], seed: int
) -> dict[str, Any]:
    """The report for machines."""
    return {
        "seed": seed,
        "probes": len(results),
        "passed": {name: sum(outcomes[name].passes for _, outcomes in results) for name in names},
        "verdicts": {
            name: dict(Counter(outcomes[name].verdict for _, outcomes in results)) for name in names
        },
        "apart": [
            {
                "difference": one.difference.value,
                "class": one.kind,
                "probes": one.count,
                "reason": one.reason,
                "example": one.example[0].data.decode("latin-1"),
            }
            for one in apart
        ],
        "unexplained": len(unexplained(apart)),
    }
