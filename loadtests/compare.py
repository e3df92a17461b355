# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a comparison costs: `python -m loadtests.compare [--json PATH]`.

Answers about invented polls of about 35 KB, and the extremes that have to be survived. Each row is the median of rounds
of one `Comparer.compare` with the shipped rules, in microseconds of one core.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from proxy.experiment.compare import Comparer
from proxy.experiment.observation import Asked, Observation, Pair
from proxy.experiment.outcome import Outcome
from proxy.experiment.rules import load_rules

RULES = Path(__file__).parents[1] / "contracts" / "rules.yaml"
_JSON = (("Content-Type", "application/json; charset=utf-8"),)


def main() -> None:
    """Measure, print a table, and write rows where asked to."""
    parser = argparse.ArgumentParser(description="What a comparison costs.")
    parser.add_argument("--json", type=Path, help="write rows here")
    parser.add_argument("--rounds", type=int, default=200)
    chosen = parser.parse_args()
    comparer = Comparer(load_rules(RULES, datetime.now(UTC).date(), drop_expired=True))
    rows = []
    for case, one, other, outcome in _cases():
        rounds = max(3, min(chosen.rounds, 40_000_000 // max(len(one), 1)))
        times = _measure(comparer, _pair(one, other), rounds, outcome)
        row = {"case": case, "bytes": len(one), "median_us": round(statistics.median(times) * 1e6, 1)}
        row["max_us"] = round(max(times) * 1e6, 1)
        rows.append(row | {"rounds": rounds})
        print(f"{case:44} {len(one):>11,} bytes  {row['median_us']:>11,} us  (max {row['max_us']:,})")
    if chosen.json is not None:
        chosen.json.write_text(json.dumps({"rows": rows}, indent=2) + "\n")


def _measure(comparer: Comparer, pair: Pair, rounds: int, outcome: Outcome) -> list[float]:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        found = comparer.compare(pair)
        times.append(time.perf_counter() - started)
        if found.outcome is not outcome:
            raise SystemExit(f"came to {found.outcome}, not {outcome}")
    return times


def _pair(one: bytes, other: bytes) -> Pair:
    control, candidate = (
        Observation(side, 200, _JSON, body) for side, body in (("old", one), ("new", other))
    )
    return Pair("r", "polls#index", "polls", 1, 0.0, Asked("GET", "/api/v1/polls"), control, candidate)


def _cases() -> Iterator[tuple[str, bytes, bytes, Outcome]]:
    polls = _answer(32)
    body = json.dumps(polls).encode()
    yield "35 KB, equal bytes", body, bytes(bytearray(body)), Outcome.MATCH
    yield "35 KB, equal in meaning", body, json.dumps(polls, indent=1).encode(), Outcome.MATCH
    one = _answer(32)
    one["polls"][12]["title"] = "Another"
    yield "35 KB, one value differs", body, json.dumps(one).encode(), Outcome.MISMATCH
    every = _answer(32, shift=1)
    yield "35 KB, each poll differs in five values", body, json.dumps(every).encode(), Outcome.MISMATCH
    turned = {**polls, "users": polls["users"][::-1]}
    yield (
        "35 KB, side-loaded records turned round",
        body,
        json.dumps(turned).encode(),
        (Outcome.MATCH_AFTER_NORMALIZING),
    )
    large = json.dumps(_answer(9_200)).encode()
    yield "10 MB, equal in meaning", large, large + b"\n", Outcome.MATCH
    yield (
        "10 MB, the last value differs",
        large,
        large.replace(b'"total": 9200', b'"total": 9201'),
        (Outcome.MISMATCH),
    )
    deep = [b"[" * 10_000 + leaf + b"]" * 10_000 for leaf in (b"1", b"2")]
    yield "10,000 levels, equal in meaning", deep[0], deep[0] + b"\n", Outcome.MATCH
    yield "10,000 levels, the innermost differs", deep[0], deep[1], Outcome.MISMATCH


def _answer(polls: int, shift: int = 0) -> dict[str, Any]:
    """An answer about so many polls; `shift` changes some values of each."""
    return {
        "polls": [
            {
                "id": number,
                "title": f"Question number {number + shift}",
                "details": "What should we do about it? " * 16,
                "created_at": f"2025-01-31T01:02:{(number + shift) % 60:02}.456Z",
                "closed_at": None,
                "voters_count": number + shift,
                "turnout": number / 7 + shift,
                "anonymous": bool((number + shift) % 2),
                "poll_option_ids": [number * 3, number * 3 + 1, number * 3 + 2],
                "results": [
                    {"id": number * 3 + option, "name": f"Option {option}", "score": option, "voter_percent": 33.3,
                     "color": "#00aa00", "voter_ids": list(range(option * 4))}
                    for option in range(3)
                ],
            }
            for number in range(polls)
        ],
        "users": [{"id": number, "name": f"Person {number}", "avatar": "initials"} for number in range(polls)],
        "meta": {"root": "polls", "total": polls},
    }  # fmt: skip


if __name__ == "__main__":
    main()
