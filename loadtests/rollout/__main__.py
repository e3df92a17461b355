# SPDX-License-Identifier: AGPL-3.0-or-later
"""`python -m loadtests.rollout [--seeds N] [--json PATH] [--table]`: hundreds of simulated lives."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

from loadtests.rollout.lives import BAD, Life, silent, spiky
from loadtests.rollout.run import Told, live
from proxy.rollout.policy import Policy

SIGMAS = (0.5, 0.7, 1.0)


@dataclass(frozen=True, slots=True)
class Row:
    """One claim, and how often it held."""

    lives: str
    claim: str
    held: int
    of: int
    least: float

    @property
    def ok(self) -> bool:
        """Whether it held often enough."""
        return self.held >= self.least * self.of


def claims(seeds: int, policy: Policy, say: Callable[[str], None]) -> Iterator[Row]:
    """The acceptance, claim by claim."""

    def lives(name: str, life: Life, count: int) -> list[Told]:
        say(f"{name}: {count} lives …")
        return [live(replace(life, sigma=SIGMAS[seed % len(SIGMAS)]), policy, seed) for seed in range(count)]

    def row(name: str, told: Sequence[Told], claim: str, holds: Callable[[Told], bool], least: float) -> Row:
        return Row(name, claim, sum(map(holds, told)), len(told), least)

    good = lives("good", Life(), seeds)
    yield row("good", good, "reach 100 % within 24 h", lambda one: one.full_after is not None, 0.99)
    yield row("good", good, "are not rolled back", _stays, 0.99)
    for name, fault in BAD.items():
        yield row(name, lives(name, fault, seeds), "never exceed 10 %", _careful, 0.99)
    for points in (2, 10, 50, 99):
        name = f"errors +{points} points"
        broken = lives(name, Life(extra_errors=points / 100), seeds // 2)
        yield row(name, broken, "cost < 0.1 % of any hour's requests", lambda one: one.excess < 0.001, 1.0)
    quiet = lives("no traffic", Life(shape=silent), max(1, seeds // 20))
    yield row("no traffic", quiet, "stay where they are", lambda one: _stays(one) and not one.highest, 1.0)
    for name, life, claim, holds in (
        ("3 requests/s, good", Life(rate=3), "are not rolled back", _stays),
        ("3 requests/s, 30 % slower", Life(rate=3, slow=1.3), "never exceed 10 %", _careful),
        ("spiky, good", Life(shape=spiky), "are not rolled back", _stays),
        ("users differ, good", Life(correlated=True), "are not rolled back", _stays),
        (
            "users differ, +0.5 points",
            Life(correlated=True, extra_errors=0.005),
            "never exceed 10 %",
            _careful,
        ),
    ):
        yield row(name, lives(name, life, seeds // 4), claim, holds, 0.99)


def _stays(told: Told) -> bool:
    return told.back_after is None


def _careful(told: Told) -> bool:
    return told.highest <= 10


def timetable(seeds: int, policy: Policy) -> Iterator[tuple[str, ...]]:
    """What traffic decides what in what time: medians over a few lives, a week long."""

    def hours(told: list[float | None]) -> str:
        known = [one for one in told if one is not None]
        if len(known) * 2 < len(told):
            return "more than a week"
        value = median(known) / 60
        return f"{value:.0f} min" if value < 90 else f"{value / 60:.1f} h"

    faults = BAD | {"errors +10 points": Life(extra_errors=0.1), "everything fails": Life(extra_errors=0.999)}
    yield ("requests/s", "good: 10 %", "good: 100 %", *faults)
    for rate in (1.0, 3.0, 10.0, 30.0, 100.0, 300.0):

        def many(life: Life, tick: float, rate: float = rate) -> list[Told]:
            return [
                live(replace(life, rate=rate), policy, seed, hours=168, tick=tick) for seed in range(seeds)
            ]

        calm, severe = (300.0 if rate < 10 else 120.0), {"errors +10 points", "everything fails"}
        good = many(Life(), calm)
        row = [
            f"{rate:g}",
            hours([one.reached.get(10) for one in good]),
            hours([one.full_after for one in good]),
        ]
        for name, fault in faults.items():
            row.append(hours([one.back_after for one in many(fault, 30 if name in severe else calm)]))
        yield tuple(row)


def main() -> int:
    """Run, print, and say by the exit code whether every claim held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="lives of each main kind (default 200)")
    parser.add_argument("--json", type=Path, help="write the claims here as well")
    parser.add_argument(
        "--table", action="store_true", help="print instead what traffic decides what in what time"
    )
    options = parser.parse_args()
    policy = Policy()
    if options.table:
        for number, line in enumerate(timetable(max(3, options.seeds // 40), policy)):
            print("| " + " | ".join(line) + " |", flush=True)
            if not number:
                print("|" + "---|" * len(line))
        return 0
    rows = []
    for row in claims(options.seeds, policy, lambda text: print(text, file=sys.stderr, flush=True)):
        rows.append(row)
        print(f"{'ok ' if row.ok else 'NOT'} {row.lives:28} {row.claim:38} {row.held}/{row.of}", flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) | {"ok": row.ok} for row in rows], indent=2) + "\n")
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
