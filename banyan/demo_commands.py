# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan demo`: all of Banyan on this machine, under recorded traffic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from banyan.output import Exit, fail


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
    app.command()(demo)


def demo(
    seconds: Annotated[
        float | None, typer.Option(min=1, metavar="N", help="End after so long (default: at Ctrl-C).")
    ] = None,
    report: Annotated[
        str | None, typer.Option(metavar="PATH|-", help="Write the outcome as JSON; - is stdout.")
    ] = None,
    ramp: Annotated[
        bool,
        typer.Option("--ramp", help="Let a group climb by itself, break the new side, see it taken back."),
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The routing file (default: ./routing.yaml, else a copy of ours; with --ramp, the demo's own).",
        ),
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of recordings (default: our own).")
    ] = None,
) -> None:
    """Show all of Banyan under recorded traffic.

    Starts databases, the recorded legacy, the Python services and the edge on free ports, and lets people use
    them. Every answer is compared with its recording. Edit the routing file meanwhile and watch its groups
    move. Nothing is left behind.

    With --ramp: a controller raises a group from 0 to 100 % on the evidence of these people's visits, in about a
    minute. Then the new side begins to fail, and the controller takes it back. Ends when that is told; with
    --seconds, not before N.

    Exit codes: 0 all is well; 1 an answer differs, the edge made an error, one side got nothing, or too little
    came through (with --ramp: answers were wrong before the new side failed or after the way back, 100 % took over two
    minutes, or the way back over 5 s); 2 something did not start.
    """
    import asyncio
    import sys

    import uvloop
    from rich.console import Console

    from banyan.demo import report as reports
    from banyan.demo.admin import AdminUnreachableError
    from banyan.demo.programs import ProgramError
    from banyan.demo.ramp.run import run as run_ramp
    from banyan.demo.routing_file import NoRoutingFileError
    from banyan.demo.run import run
    from banyan.demo.shell import Options
    from banyan.embedded import EmbeddedError
    from banyan.migrations import MigrationError
    from banyan.sampledb import SampleDatabaseError
    from contracts.corpus import CorpusError

    if report not in (None, "-") and not Path(report).absolute().parent.is_dir():
        fail(f"--report {report}: there is no such folder")
    console = Console(stderr=report == "-", highlight=False, markup=False, emoji=False)
    console.soft_wrap = not console.is_terminal  # who reads a pipe wants whole lines
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            play = run_ramp if ramp else run
            outcome = runner.run(play(Options(seconds, config, corpus), console))
        except (
            ProgramError,
            EmbeddedError,
            MigrationError,
            SampleDatabaseError,
            CorpusError,
            NoRoutingFileError,
            AdminUnreachableError,
        ) as error:
            fail(str(error))
    if outcome is None:
        console.print("Stopped before anybody came.")
        return
    console.print(reports.summary(outcome.report, outcome.failed))
    if report == "-":
        sys.stdout.write(reports.as_json(outcome.report).decode())
    elif report is not None:
        try:
            reports.write(outcome.report, Path(report))
        except OSError as error:
            fail(f"--report {report}: {error.strerror or error}")
    if outcome.failed:
        raise SystemExit(int(Exit.NO))
