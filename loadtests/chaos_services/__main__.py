# SPDX-License-Identifier: AGPL-3.0-or-later
"""`python -m loadtests.chaos_services`: exit code 1 where a claim did not hold, or a recovery took too long."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import msgspec

from contracts.corpus import OWN_COPY, Corpus
from loadtests.chaos_services.phases import GOAL, run


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(
        description="What the services do while PostgreSQL and Redis break, under load."
    )
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="how long each thing is broken (default 3)"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes that answer (default 2)")
    parser.add_argument("--clients", type=int, default=6, help="how many ask at once (default 6)")
    parser.add_argument("--corpus", type=Path, default=OWN_COPY, help="folder of recordings")
    parser.add_argument("--json", type=Path, help="write the result here as well")
    asked = parser.parse_args()
    result = asyncio.run(
        run(
            Corpus(asked.corpus),
            seconds=asked.seconds,
            workers=asked.workers,
            clients=asked.clients,
            calm=1.0,
            say=lambda line: print(line, flush=True),
        )
    )
    print(
        f"{result.held} transactions held, {result.unsure} failed or unsure; lost: {result.lost_jobs} jobs, "
        f"{result.lost_messages} messages; {result.repeated_messages} messages told again"
    )
    for one in result.wrong:
        print(f"NOT {one}")
    if not result.is_in_time:
        print(f"NOT recovered within {GOAL:g} s each time")
    if asked.json:
        asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    return 1 if result.wrong or not result.is_in_time else 0


if __name__ == "__main__":
    sys.exit(main())
