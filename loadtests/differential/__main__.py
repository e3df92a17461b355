# SPDX-License-Identifier: AGPL-3.0-or-later
"""`python -m loadtests.differential`: see the package, and --help."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Final

import uvloop

from loadtests.bench.processes import StartError
from loadtests.differential.origin import Origin
from loadtests.differential.outcome import EDGE, Outcome, statuses_in
from loadtests.differential.peers import PEERS, is_there, running
from loadtests.differential.probes import Probe, make_probes
from loadtests.differential.report import as_json, differences, read_reasons, render, unexplained

_PATIENCE: Final = 0.5  # for a proxy that does not end a connection whose client has
REASONS: Final = Path(__file__).with_name("reasons.yaml")


async def _send(port: int, probe: Probe) -> tuple[bytes, bool]:
    """Send a probe, and the end of sending; (what came back, whether the connection ended)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    ended = False
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(probe.sent)
            writer.write_eof()
        async with asyncio.timeout(_PATIENCE):
            while data := await reader.read(65_536):
                received += data
        ended = True
    except TimeoutError:
        pass
    except ConnectionError:
        ended = True
    writer.transport.abort()
    return received, ended


async def _try_all(name: str, probes: list[Probe], folder: Path) -> list[Outcome]:
    """All probes through one proxy, one after the other."""
    outcomes = []
    async with Origin() as origin:
        with contextlib.ExitStack() as stack:
            port = await asyncio.to_thread(stack.enter_context, running(name, folder, origin.port))
            for probe in probes:
                origin.seen.clear()
                received, ended = await _send(port, probe)
                outcomes.append(Outcome(statuses_in(received), tuple(origin.seen), ended))
            await asyncio.to_thread(stack.close)
    return outcomes


async def differential(arguments: argparse.Namespace) -> int:
    """Run; 0: every difference that needs a reason has one, 1: not so, 2: nothing to compare with."""
    names = [name for name in PEERS if is_there(name)]
    for name in PEERS.keys() - set(names):
        print(f"{name} is not installed and left out")
    if names == [EDGE]:
        print("there is nothing to compare the edge with; install nginx or haproxy", file=sys.stderr)
        return 2
    probes = make_probes(arguments.probes, arguments.seed)
    print(f"{len(probes):,} probes, seed {arguments.seed}, through {', '.join(names)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        columns = await asyncio.gather(*(_try_all(name, probes, Path(folder) / name) for name in names))
    results = [
        (probe, dict(zip(names, row, strict=True)))
        for probe, row in zip(probes, zip(*columns, strict=True), strict=True)
    ]
    apart = differences(results, read_reasons(arguments.reasons))
    print(render(results, apart, names))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(as_json(results, apart, names, arguments.seed), indent=2) + "\n")
    missing = unexplained(apart)
    print(
        f"\n{len(missing)} classes need a reason"
        if missing
        else "\nevery difference that needs a reason has one"
    )
    return int(bool(missing))


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(
        prog="make differential", description="The edge beside nginx and HAProxy."
    )
    parser.add_argument("--probes", type=int, default=5000, help="how many requests (N=)")
    parser.add_argument("--seed", type=int, default=1, help="of the drawn ones (SEED=)")
    parser.add_argument("--json", type=Path, help="write the report there (JSON=)")
    parser.add_argument("--reasons", type=Path, default=REASONS, help="the reasons on record")
    try:
        return uvloop.run(differential(parser.parse_args()))
    except StartError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
