# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan contracts record`: new recorded reads, from a live legacy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from banyan.contracts_replay import Url
from banyan.output import Exit, fail, print_json

if TYPE_CHECKING:
    from contracts.record import Choice, Wanted
    from proxy.config.written import CatalogueRow


def record(
    url: Url,
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder to write; a run is taken up there.")
    ],
    requests: Annotated[Path | None, typer.Option(metavar="FILE", help="Lines of GET /path?query.")] = None,
    access_log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of nginx, Apache, HAProxy, or the edge.")
    ] = None,
    har: Annotated[Path | None, typer.Option(metavar="FILE", help="What a browser exported.")] = None,
    cookie_file: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="A person and the file with their Cookie header; repeatable."),
    ] = None,
    catalogue: Annotated[
        Path, typer.Option(metavar="FILE", help="Which routes there are, and which may be repeated.")
    ] = Path("routes.yaml"),
    runs: Annotated[int, typer.Option(min=2, metavar="N", help="How often each is asked.")] = 3,
    rate: Annotated[float, typer.Option(min=0.01, metavar="N", help="Requests a second, at most.")] = 5.0,
    timeout: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="Wait for one answer.")] = 30.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be asked; ask nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False,
) -> None:
    """Ask a live legacy and write what it says, in the form that `replay` reads.

    Only GETs that the catalogue calls safe are asked, and none that carries a token. Each is asked several times: what
    differs becomes noise. No cookie, token or key is written; what people wrote is: keep the folder as you keep the
    database.

    Exit codes: 0 recorded, 1 nothing may be asked, 2 wrong use or no answer; the same command goes on from there.
    """
    import asyncio

    from contracts.address import Address, AddressError
    from contracts.record import Recorder, RecordError, choose

    choice = choose(_wanted(requests, access_log, har), _catalogue(catalogue))
    _say_refused(choice)
    if dry_run:
        _say_choice(choice, as_json)
        return
    if not choice.asked:
        fail("none of these requests may be asked", Exit.NO)
    try:
        recorder = Recorder(
            Address.of(url), output, _cookies(cookie_file or []), runs=runs, rate=rate, patience=timeout
        )
        done = asyncio.run(recorder.run(choice))
    except (AddressError, RecordError) as error:
        fail(str(error))
    if as_json:
        print_json(done)
        return
    typer.echo(f"{done.written} recorded, {done.known} were there, {done.unstable} unstable: {output}")
    for field, times in sorted(done.redacted.items()):
        typer.echo(f"taken out of {field}: {times} values")


def _wanted(requests: Path | None, access_log: Path | None, har: Path | None) -> list[Wanted]:
    from contracts.record import SourceError, from_access_log, from_har, from_list

    given = [
        (file, read)
        for file, read in ((requests, from_list), (access_log, from_access_log), (har, from_har))
        if file is not None
    ]
    if len(given) != 1:
        fail("name one of --requests, --access-log and --har")
    file, read = given[0]
    try:
        return read(file.read_text("utf-8"))
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    except (SourceError, UnicodeDecodeError) as error:
        fail(f"{file}: {error}")


def _catalogue(file: Path) -> tuple[CatalogueRow, ...]:
    from proxy.config.catalogue import read_catalogue
    from proxy.config.errors import Findings

    findings = Findings(str(file))
    try:
        rows = read_catalogue(file.read_bytes(), findings)
    except OSError as error:
        fail(f"{file}: {error.strerror}; --catalogue names the file that `banyan routes import` writes")
    if findings.found:
        fail(f"{file}: {findings.found[0]}; see banyan check")
    return rows


def _cookies(given: list[str]) -> dict[str, str]:
    cookies = {}
    for one in given:
        name, equals, file = one.partition("=")
        if not equals or not name:
            fail(f"--cookie-file {one}: write NAME=FILE")
        try:
            text = Path(file).read_text("utf-8").strip()
        except OSError as error:
            fail(f"--cookie-file {file}: {error.strerror}")
        cookies[name] = text.removeprefix("Cookie:").strip()
    return cookies


def _say_refused(choice: Choice) -> None:
    from collections import Counter

    for reason, times in Counter(reason for _, reason in choice.refused).most_common():
        typer.echo(f"not asked: {times} requests: {reason}", err=True)


def _say_choice(choice: Choice, as_json: bool) -> None:
    from contracts.record.facts import target_without_secrets

    asked = [(endpoint, target_without_secrets(wanted.target)) for wanted, endpoint, _ in choice.asked]
    if as_json:
        print_json({"asked": [{"endpoint": name, "target": target} for name, target in asked]})
        return
    for name, target in asked:
        typer.echo(f"{name}  {target}")
