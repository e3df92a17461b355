# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan contracts report`, `approve`, `revoke`, `approvals`: what the diff store says, and who accepted what."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from banyan.output import Exit, fail, print_json

if TYPE_CHECKING:
    from contracts.report import Format, Recorded, Report
    from proxy.experiment.evidence import Evidence
    from proxy.experiment.outcome import Severity
    from proxy.experiment.store import Store

Result = TypeVar("Result")

DatabaseUrl = Annotated[
    str,
    typer.Option(
        metavar="URL", envvar="BANYAN_DATABASE_URL", show_envvar=True, help="The diff store's database."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON for machines.")]


def register(contracts: typer.Typer) -> None:
    """Add these commands to `banyan contracts`."""
    contracts.command()(report)
    contracts.command()(approve)
    contracts.command()(revoke)
    contracts.command()(approvals)


def report(
    database_url: DatabaseUrl = "",
    route: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only routes such as 'discussions#*'.")
    ] = None,
    group: Annotated[str | None, typer.Option(metavar="NAME", help="Only this group's routes.")] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="24h|ISO", help="Only what was seen in the last 24h, 30m, 7d, or since a time."),
    ] = None,
    build: Annotated[
        str | None, typer.Option(metavar="BUILD", help="Only this build of the new side.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", metavar="table|markdown|html|json|junit", help="Form of the report.")
    ] = "table",
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it there (default: stdout).")
    ] = None,
    fail_on: Annotated[
        str, typer.Option(metavar="ERR|WARN|INFO", help="The least serious finding that makes exit code 1.")
    ] = "ERR",
    approvals_file: Annotated[
        Path | None,
        typer.Option("--approvals", metavar="FILE", help="Approvals besides those in the store (YAML)."),
    ] = None,
    corpus: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Recordings that tell what should be covered (default: our own)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Report what comparing the two sides has shown, from the diff store.

    Exit codes: 0 nothing open, 1 open findings, 2 wrong use or the store can't be read, 3 nothing was compared.
    """
    from contracts.corpus import Corpus, CorpusError
    from contracts.learned import learned_from
    from contracts.report import ApprovalsError, judge, read_approvals

    now = time.time()
    kind, severity = parse_format("json" if as_json else form), parse_severity(fail_on)
    begin = None if since is None else parse_since(since, now)
    try:
        accepted = () if approvals_file is None else read_approvals(approvals_file)
        recordings = Corpus.open(corpus)
    except (ApprovalsError, CorpusError) as error:
        fail(str(error))
    evidence = with_store(
        database_url, lambda store: store.evidence(route=route, group=group, since=begin, build=build)
    )
    try:
        learned = learned_from(recordings, {one.route for one in evidence.endpoints if one.findings})
    except CorpusError as error:
        fail(str(error))
    narrowed = {"route": route, "group": group, "since": since, "build": build}
    made = judge(
        evidence,
        now=now,
        scope=", ".join(f"{name} {value}" for name, value in narrowed.items() if value is not None),
        fail_on=severity,
        approvals=accepted,
        recorded=_asked_for(learned.recorded, evidence, route, group),
        explain=learned.explanations(),
    )
    finish(made, kind, output)


def _asked_for(recorded: Recorded, evidence: Evidence, route: str | None, group: str | None) -> Recorded:
    """What is recorded of the routes that were asked for. Which routes a group has is known from those it compared."""
    if group is not None:
        known = {endpoint.route for endpoint in evidence.endpoints}
        return {name: of_route for name, of_route in recorded.items() if name in known}
    return {
        name: of_route for name, of_route in recorded.items() if route is None or fnmatchcase(name, route)
    }


def approve(
    fingerprint: Annotated[str, typer.Argument(metavar="FINGERPRINT", help="As the report shows it.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why this difference is right.")],
    until: Annotated[
        str | None,
        typer.Option(metavar="DAY|ISO", help="When the approval ends (default: when it is revoked)."),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who approves (default: who you are here).")
    ] = None,
    database_url: DatabaseUrl = "",
) -> None:
    """Accept a finding: reports show it as approved, and it fails nothing any more.

    Exit codes: 0 done, 2 wrong use or the store can't be written.
    """
    from proxy.experiment.evidence import Approval

    now = time.time()
    if not reason.strip():
        fail("--reason is empty: say why this difference is right")
    end = None if until is None else parse_time(until, "--until")
    if end is not None and end <= now:
        fail(f"--until {until} is past: name a later day")
    approval = Approval(fingerprint, by or getpass.getuser(), reason.strip(), now, end)
    with_store(database_url, lambda store: store.approve(approval))
    typer.echo(f"approved {fingerprint} by {approval.by}")


def revoke(
    fingerprint: Annotated[str, typer.Argument(metavar="FINGERPRINT", help="As `approvals` shows it.")],
    database_url: DatabaseUrl = "",
) -> None:
    """Take an approval back.

    Exit codes: 0 done, 1 there was none, 2 the store can't be written.
    """
    if not with_store(database_url, lambda store: store.revoke(fingerprint)):
        fail(f"there is no approval of {fingerprint}; see banyan contracts approvals", Exit.NO)
    typer.echo(f"revoked {fingerprint}")


def approvals(database_url: DatabaseUrl = "", as_json: Json = False) -> None:
    """List the approvals, those that ended too.

    Exit codes: 0 listed, 2 the store can't be read.
    """
    from contracts.report.values import clean
    from contracts.report.words import moment

    listed = with_store(database_url, lambda store: store.approvals())
    if as_json:
        print_json(listed)
        return
    now = time.time()
    for one in listed:
        end = (
            "until revoked"
            if one.until is None
            else f"{'until' if one.holds(now) else 'ended'} {moment(one.until)}"
        )
        typer.echo(clean(f"{one.fingerprint}  {end}  {one.by}: {one.reason}"))
    if not listed:
        typer.echo("nothing is approved", err=True)


def with_store(url: str, action: Callable[[Store], Awaitable[Result]]) -> Result:
    """Do something with the diff store; leaves with a message where it can't be used."""
    from proxy.experiment.store import Store, StoreError

    if not url:
        fail("which database? Name it with --database-url or BANYAN_DATABASE_URL")

    async def run() -> Result:
        async with Store.open(url, connections=1) as store:
            return await action(store)

    try:
        return asyncio.run(run())
    except StoreError as error:
        fail(f"{error.code}: {error}")


def finish(made: Report, kind: Format, output: Path | None) -> None:
    """Write a report and leave with its exit code. Every command that makes one ends here."""
    from contracts.report import Verdict, render

    color = output is None and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    width = shutil.get_terminal_size((120, 40)).columns if output is None else 120
    text = render(made, kind, width=max(width, 60), color=color)
    if output is None:
        typer.echo(text, nl=False)
    else:
        try:
            output.write_text(text, "utf-8")
        except OSError as error:
            fail(f"{output}: {error.strerror}; name another file with --output")
    codes = {Verdict.CLEAN: Exit.OK, Verdict.FINDINGS: Exit.NO, Verdict.NOTHING_COMPARED: Exit.NOT_ENOUGH}
    raise SystemExit(int(codes[made.verdict]))


def parse_format(text: str) -> Format:
    """A form's name. Leaves with a message when it is none."""
    from contracts.report import Format

    try:
        return Format(text)
    except ValueError:
        fail(f"--format {text!r}: there is {', '.join(Format)}")


def parse_severity(text: str) -> Severity:
    """A severity's name. Leaves with a message when it is none."""
    from proxy.experiment.outcome import Severity

    try:
        return Severity(text.upper())
    except ValueError:
        fail(f"--fail-on {text!r}: there is {', '.join(Severity)}")


def parse_since(text: str, now: float) -> float:
    """`24h` and the like, or a time, as seconds since 1970. Leaves with a message when it is neither."""
    units = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
    if len(text) > 1 and text[:-1].isascii() and text[:-1].isdecimal() and text[-1] in units:
        return max(now - int(text[:-1]) * units[text[-1]], 0.0)
    return parse_time(text, "--since")


def parse_time(text: str, option: str) -> float:
    """A day or a time (ISO 8601, UTC unless it says otherwise). Leaves with a message when it is none."""
    from datetime import UTC, datetime

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        also = "24h, 30m, 7d, " if option == "--since" else ""
        fail(f"{option} {text!r}: write {also}2026-12-31 or 2026-12-31T18:00")
    return at.replace(tzinfo=at.tzinfo or UTC).timestamp()
