# SPDX-License-Identifier: AGPL-3.0-or-later
"""`python -m loadtests.fuzz`: see the package, and --help."""

from __future__ import annotations

import argparse
import base64
import json
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Final

import uvloop

from loadtests.fuzz.cases import Asked, Case
from loadtests.fuzz.judge import Found
from loadtests.fuzz.origin import Journal
from loadtests.fuzz.run import Report, Run, make_smaller
from loadtests.fuzz.subject import edge_process, origins, routing

_REQUESTS_PER_EXAMPLE: Final = 100


def write_found(found: Found, seed: int, file: Path) -> None:
    """Write a failing case down, to be replayed."""
    case = found.case
    told = {
        "seed": seed,
        "number": case.number,
        "kind": case.kind,
        "failure": found.failure.kind,
        "detail": found.failure.detail,
        "pieces": [base64.b64encode(piece).decode() for piece in case.pieces],
        "requests": [
            [base64.b64encode(part).decode() for part in (asked.mark, asked.method, asked.data, asked.body)]
            for asked in case.requests
        ],
        "sent": case.sent.decode("latin-1"),
        "received": found.received.data[:20_000].decode("latin-1"),
        "end": found.received.end,
    }
    file.write_text(json.dumps(told, indent=1))


def read_found(file: Path) -> tuple[int, Case]:
    """(seed, case) of a file that `write_found` wrote."""
    told = json.loads(file.read_text())
    pieces = tuple(base64.b64decode(piece) for piece in told["pieces"])
    requests = tuple(Asked(*(base64.b64decode(part) for part in parts)) for parts in told["requests"])
    return told["seed"], Case(told["number"], told["kind"], requests, pieces)


def _progress(report: Report) -> None:
    rate = report.requests / max(report.seconds, 0.001)
    grown = (report.rss_last - report.rss_first) / 1e6
    print(
        f"  {report.requests:>9,} requests, {rate:,.0f}/s, {report.reached_origin:,} reached the origin, "
        f"memory {grown:+.1f} MB",
        flush=True,
    )


async def fuzz(arguments: argparse.Namespace) -> int:
    """Run; 0: nothing found, 1: something was."""
    replayed = read_found(arguments.replay) if arguments.replay else None
    seed = replayed[0] if replayed else arguments.seed
    journal = Journal(seed)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            origins(journal) as ports,
            edge_process(routing(*ports), Path(folder)) as subject,
        ):
            run = Run(subject, journal)
            if replayed is not None:
                found = await run.attempt(replayed[1])
                print("as it should be" if found is None else f"{found.failure.kind}: {found.failure.detail}")
                return int(found is not None)
            print(f"seed {seed}, {arguments.requests:,} requests")
            report = await run.run(arguments.requests, progress=_progress, seconds=arguments.seconds)
            if not report.failed:
                examples = max(100, arguments.requests // _REQUESTS_PER_EXAMPLE)
                print(f"  {examples:,} pipelines of hypothesis'", flush=True)
                await run.explore(examples)
            _conclude(report)
            for number, found in enumerate(report.found[:3]):
                small = await make_smaller(run, found)
                file = arguments.failures / f"fuzz-{seed}-{number}.json"
                file.parent.mkdir(parents=True, exist_ok=True)
                write_found(small, seed, file)
                print(f"{small.failure.kind}: {small.failure.detail}")
                print(f"  sent {small.case.sent[:400]!r}\n  written to {file}")
    if arguments.json is not None:
        _write_json(arguments.json, seed, report)
    return int(report.failed)


def _conclude(report: Report) -> None:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.cases.items()))
    statuses = ", ".join(f"{count:,} × {status}" for status, count in sorted(report.statuses.items()))
    connections = sum(report.cases.values())
    print(
        f"{report.requests:,} requests in {report.seconds:.0f} s over {connections:,} connections ({kinds})"
    )
    print(f"first answers: {statuses}")
    for leak in report.leaks:
        print(f"left over: {leak}")
    for complaint in report.complaints:
        print(f"the edge said: {complaint.strip()[:2000]}")
    print("nothing found" if not report.failed else f"{len(report.found)} cases failed")


def _write_json(file: Path, seed: int, report: Report) -> None:
    told = {
        "seed": seed,
        "requests": report.requests,
        "connections": sum(report.cases.values()),
        "cases": dict(report.cases),
        "first_answers": {str(status): count for status, count in sorted(report.statuses.items())},
        "reached_origin": report.reached_origin,
        "seconds": round(report.seconds, 1),
        "failures": [found.failure.kind for found in report.found],
        "leaks": report.leaks,
        "complaints": report.complaints,
        "rss_growth_bytes": report.rss_last - report.rss_first,
    }
    file.write_text(json.dumps(told, indent=2) + "\n")


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(
        prog="make fuzz", description="Broken requests and answers against the edge."
    )
    parser.add_argument("--requests", type=int, default=100_000, help="how many to send (N=)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="of all chance (SEED=)")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop then (SECONDS=)")
    parser.add_argument("--json", type=Path, help="write the report there (JSON=)")
    parser.add_argument(
        "--failures", type=Path, default=Path("fuzz-failures"), help="folder for failing cases"
    )
    parser.add_argument("--replay", type=Path, help="run the case in this file again (REPLAY=)")
    return uvloop.run(fuzz(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
