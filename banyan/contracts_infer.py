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
    from contracts.corpus import Read
    from proxy.experiment.infer import Shape

SHIPPED = Path("contracts/rules.yaml")


class Form(StrEnum):
    """What is written."""

    OPENAPI = "openapi"
    SCHEMA = "json-schema"


def register(contracts: typer.Typer) -> None:
    """Add these commands to `banyan contracts`."""
    contracts.command()(infer)
    rules = typer.Typer(help="The declared rules of comparing.", no_args_is_help=True)
    rules.callback()(about_rules)
    rules.command("check")(check)
    contracts.add_typer(rules, name="rules")


def about_rules() -> None:
    """The declared rules of comparing."""


def infer(
    corpus: Annotated[
        Path | None, typer.Argument(help="A folder of recordings; the project's own copy without it.")
    ] = None,
    route: Annotated[str, typer.Option(metavar="GLOB", help="Only endpoints with such a name.")] = "*",
    form: Annotated[Form, typer.Option("--format", help="What to write.")] = Form.OPENAPI,
    output: Annotated[Path | None, typer.Option(help="Write here instead of to stdout.")] = None,
) -> None:
    """Turn recorded answers into schemas: types, what may be null or absent, the few values of an enumeration.

    Exit code 0: written, 1: no such endpoint was recorded with JSON, 2: the recordings cannot be read.
    """
    import msgspec

    from contracts.corpus import Corpus, CorpusError
    from proxy.experiment.infer import json_schemas, openapi

    try:
        shapes = _shapes(one for one in Corpus.open(corpus).reads() if fnmatchcase(one.endpoint, route))
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
