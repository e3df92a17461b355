# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan contracts infer` and `banyan contracts rules …`: schemas of what was recorded, and the file of rules."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from banyan.output import Exit, fail, print_json

if TYPE_CHECKING:
    from contracts.corpus import Corpus, Read
    from proxy.experiment.infer import Shape
    from proxy.experiment.noise import Noise

SHIPPED = Path("contracts/rules.yaml")


class Form(StrEnum):
    """What is written."""

    OPENAPI = "openapi"
    SCHEMA = "json-schema"
    LEARNED = "learned"


def register(contracts: typer.Typer) -> None:
    """Add these commands to `banyan contracts`."""
    contracts.command()(infer)
    rules = typer.Typer(help="The declared rules of comparing.", no_args_is_help=True)
    rules.callback()(about_rules)
    rules.command("check")(check)
    rules.command("propose")(propose)
    contracts.add_typer(rules, name="rules")


def about_rules() -> None:
    """The declared rules of comparing."""


def infer(
    corpus: Annotated[
        Path | None, typer.Argument(help="A folder of recordings; the project's own copy without it.")
    ] = None,
    route: Annotated[str, typer.Option(metavar="GLOB", help="Only endpoints with such a name.")] = "*",
    form: Annotated[
        Form, typer.Option("--format", help="What to write; `learned` is what reports explain by (.json.gz).")
    ] = Form.OPENAPI,
    output: Annotated[Path | None, typer.Option(help="Write here instead of to stdout.")] = None,
) -> None:
    """Turn recorded answers into schemas: types, what may be null or absent, the few values of an enumeration.

    Exit code 0: written, 1: no such endpoint was recorded with JSON, 2: the recordings cannot be read.
    """
    import msgspec

    from contracts.corpus import Corpus, CorpusError
    from proxy.experiment.infer import json_schemas, openapi

    try:
        opened = Corpus.open(corpus)
        cases = [one for one in opened.reads() if fnmatchcase(one.endpoint, route)]
        if form is Form.LEARNED:
            _write_learned(opened, cases, output)
            return
        shapes = _shapes(cases)
    except CorpusError as error:
        fail(str(error))
    if not shapes:
        fail(f"no endpoint like {route} was recorded with a JSON answer", Exit.NO)
    title = "What was recorded"
    if form is Form.OPENAPI:
        document = openapi(
            (
                (path, "GET", name, status, "application/json", one)
                for (name, path, status), one in shapes.items()
            ),
            title,
            "recorded",
        )
    else:
        document = json_schemas(
            {f"{name} {status} {path}": shape for (name, path, status), shape in shapes.items()}, title
        )
    if output is None:
        print_json(document)
        return
    try:
        output.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    except OSError as error:
        fail(f"{output}: {error.strerror or error}")
    samples = sum(shape.samples for shape in shapes.values())
    sys.stderr.write(f"{len(shapes)} kinds of answers, from {samples} samples, written to {output}\n")


def _write_learned(corpus: Corpus, cases: list[Read], output: Path | None) -> None:
    from contracts.learned import learn, source_of, written

    if output is None:
        fail("--format learned writes a compressed file: name it with --output")
    data = written(learn(cases, source_of(corpus)))
    try:
        output.write_bytes(data)
    except OSError as error:
        fail(f"{output}: {error.strerror or error}")
    sys.stderr.write(f"what {len(cases)} recorded reads teach is in {output}: {len(data):,} bytes\n")


def propose(
    database_url: Annotated[
        str,
        typer.Option(
            metavar="URL", envvar="BANYAN_DATABASE_URL", show_envvar=True, help="The diff store's database."
        ),
    ] = "",
    from_admin: Annotated[
        str,
        typer.Option(metavar="URL", help="The admin port of an edge: what it alone learned since it began."),
    ] = "",
    owner: Annotated[str, typer.Option(metavar="NAME", help="Who answers for the rules.")] = "unknown",
    days: Annotated[int, typer.Option(min=1, max=366, help="How long they hold.")] = 30,
) -> None:
    """Print rules for noise that was learned, to be read, corrected and put into the file of rules. Changes nothing.

    Exit code 0: printed, 1: nothing was learned that a rule could say, 2: the noise cannot be read.
    """
    from proxy.experiment import noise as learned

    known = _noise_of_edge(from_admin) if from_admin else _noise_in_store(database_url)
    text = learned.propose(known, owner, datetime.now(UTC).date(), days)
    if not text:
        fail(f"of {len(known)} fields that differ by themselves none makes a rule", Exit.NO)
    print(f"# Proposed. Whatever you keep goes under `rules:` in {SHIPPED}.\n{text}", end="")


def _noise_of_edge(url: str) -> list[Noise]:
    import msgspec

    from banyan.rollout_commands import ask
    from proxy.experiment.noise import Noise

    try:
        told = ask(url, "/comparisons")
        return [msgspec.convert(one, Noise) for endpoint in told["endpoints"] for one in endpoint["noise"]]
    except (KeyError, TypeError, msgspec.ValidationError):
        fail(f"{url} is no admin port of an edge")


def _noise_in_store(url: str) -> list[Noise]:
    from banyan.report_commands import with_store

    evidence = with_store(url, lambda store: store.evidence())
    return [one for endpoint in evidence.endpoints for one in endpoint.noise]


def check(
    file: Annotated[Path, typer.Argument(help="The file of rules.")] = SHIPPED,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")] = False,
) -> None:
    """Say everything that is wrong with a file of rules. A rule whose day is over is wrong.

    Exit code 0: sound, 1: errors, 2: the file cannot be read.
    """
    from proxy.config import Code
    from proxy.experiment.rules import read_rules

    loaded = read_rules(file, datetime.now(UTC).date())
    rules = loaded.rules.declared
    if as_json:
        errors = [
            {name: getattr(one, name) for name in ("file", "line", "column", "code", "message", "remedy")}
            for one in loaded.errors
        ]
        ending = [{"name": one.name, "owner": one.owner, "expires": one.expires} for one in rules]
        print_json({"ok": not errors, "rules": ending, "errors": errors})
    elif loaded.errors:
        for one in loaded.errors:
            print(f"{one.file}:{one.line}:{one.column}: error {one.code}\n  {one.message}\n  → {one.remedy}")
    else:
        first = min(rules, key=lambda one: one.expires, default=None)
        told = "" if first is None else f"; the first to end is {first.name}, on {first.expires}"
        print(f"{file} is sound: {len(rules)} rules{told}.")
    if any(one.code is Code.FILE_UNREADABLE for one in loaded.errors):
        raise typer.Exit(Exit.BROKEN)
    raise typer.Exit(Exit.NO if loaded.errors else Exit.OK)


def _shapes(cases: Iterable[Read]) -> dict[tuple[str, str, int], Shape]:
    """Shapes of JSON answers by endpoint, path and status."""
    from contracts.notation import JSON_MARKER, fill, marker_of
    from proxy.experiment.infer import Shape

    shapes: dict[tuple[str, str, int], Shape] = {}
    for case in cases:
        body = case.response.parsed_body()
        if marker_of(body) == JSON_MARKER:
            key = (case.endpoint, case.route, case.response.status)
            shapes.setdefault(key, Shape()).add(fill(body))
    return shapes
