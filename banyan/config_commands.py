# SPDX-License-Identifier: AGPL-3.0-or-later
"""The configuration's life before it runs: `check`, `plan`, `explain`, `routes import`, `schema`."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from banyan.output import Exit, fail, print_json

if TYPE_CHECKING:
    from proxy.config import ConfigError, Loaded, WrittenConfig
    from proxy.routing.explain import Explanation, Question
    from proxy.routing.plan import Move, Plan
    from proxy.routing.table import Table

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


class SchemaOf(StrEnum):
    """The files that have a schema."""

    ROUTING = "routing"
    ROUTES = "routes"


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
    app.command()(check)
    app.command()(plan)
    app.command()(explain)
    app.command()(schema)
    routes = typer.Typer(help="The catalogue of the application's routes.", no_args_is_help=True)
    routes.command("import")(import_routes)
    app.add_typer(routes, name="routes")


def check(
    file: Annotated[Path, typer.Argument(help="The routing file.")] = Path("routing.yaml"),
    as_json: Json = False,
    allow_unset: Annotated[
        bool, typer.Option("--allow-unset", help="Take ${NAME} that is not in the environment for no error.")
    ] = False,
) -> None:
    """Say everything that is wrong with a routing file, its catalogue and its rules of comparing.

    ${NAME} is taken from the environment of this command, as the edge takes it from its own.

    Exit code 0: usable, 1: errors, 2: the file cannot be read.
    """
    from proxy.config import Code, load

    loaded = load(file, os.environ, require_variables=not allow_unset)
    rules = _wrong_rules(file, loaded)
    findings = sorted([*loaded.errors, *loaded.warnings, *rules])
    ok = loaded.config is not None and not rules
    if as_json:
        print_json({"ok": ok, "findings": [_finding(one) for one in findings]})
    else:
        for one in findings:
            print(_finding_text(one))
        if loaded.config is None:
            print(f"\n{_count(len(loaded.errors), 'error')}: {file} would not be used.")
        elif rules:
            print(f"\n{_count(len(rules), 'error')} in the rules of comparing.")
        else:
            print(_summary(file, loaded.config))
    if any(one.code is Code.FILE_UNREADABLE for one in loaded.errors):
        raise typer.Exit(Exit.BROKEN)
    raise typer.Exit(Exit.OK if ok else Exit.NO)


def _wrong_rules(file: Path, loaded: Loaded) -> tuple[ConfigError, ...]:
    """What is wrong with the file of rules that a sound routing file names; a rule whose day is over, too."""
    from proxy.experiment.rules import read_rules

    if loaded.config is None or loaded.config.written.rules is None:
        return ()
    return read_rules(file.parent / loaded.config.written.rules, datetime.now(UTC).date()).errors


def plan(
    old: Annotated[Path, typer.Argument(help="The routing file that runs.")],
    new: Annotated[Path, typer.Argument(help="The routing file that is to run.")],
    as_json: Json = False,
) -> None:
    """Say which users a new routing file would move to another side, and what is risky about it.

    Addresses of backends do not matter here: ${NAME} may be unset.

    Exit code 0: compared, 2: one of the files is broken.
    """
    from proxy.routing.plan import plan as compare

    found = compare(_usable(old), _usable(new))
    if as_json:
        print_json(found)
    else:
        print(_plan_text(found))


def explain(
    request: Annotated[str, typer.Argument(help="Method and path, such as 'GET /api/v1/tags?group_id=1'.")],
    as_user: Annotated[str | None, typer.Option(metavar="ID", help="The signed-in user's id.")] = None,
    cookie: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="A Cookie header, or only the value of a banyan_bucket cookie."),
    ] = None,
    api_key: Annotated[str | None, typer.Option(metavar="KEY", help="An API key.")] = None,
    header: Annotated[
        list[str] | None, typer.Option(metavar="'NAME: VALUE'", help="A request header; may be repeated.")
    ] = None,
    config: Annotated[Path, typer.Option(help="The routing file.")] = Path("routing.yaml"),
    as_json: Json = False,
) -> None:
    """Say which route a request means, which side would answer it, and why.

    Every backend is taken to be available, and addresses do not matter: ${NAME} may be unset. Session cookies are read
    with SECRET_KEY_BASE (or SECRET_KEY_BASE_FILE) from the environment.

    Exit code 0: explained, 2: the request cannot be read, or the file is broken.
    """
    from proxy.routing import SubjectReader, compile_table
    from proxy.routing.explain import Question
    from proxy.routing.explain import explain as explain_request

    method, _, path = request.strip().partition(" ")
    path = path.strip()
    if not path.startswith("/") or not method.isalpha():
        fail(f"expected a method and a path such as 'GET /api/v1/tags', got {request!r}")
    table = compile_table(_usable(config), 0)
    question = Question(
        path=path,
        method=method,
        user=as_user,
        cookie=cookie,
        api_key=api_key,
        headers=dict(map(_header, header or ())),
    )
    reader = SubjectReader(_secret(), lambda: datetime.now(UTC))
    answer = explain_request(table, question, reader, [True] * len(table.backends))
    if as_json:
        print_json(answer)
    else:
        print(_explanation_text(table, question, answer))


def import_routes(
    file: Annotated[
        Path | None, typer.Argument(help="What `bin/rails routes` printed; stdin without it.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write here instead of to stdout.")] = None,
    known: Annotated[
        Path | None,
        typer.Option("--merge", help="A catalogue whose names and marks are kept for routes it has."),
    ] = None,
) -> None:
    """Make a catalogue of what `bin/rails routes` prints, with or without --expanded.

    Rails does not say what may be repeated: everything but GET and HEAD comes out marked unsafe. Complete the marks by
    hand; `--merge` keeps them when the next release's listing is imported.

    Exit code 0: written, 2: no listing, or a broken catalogue.
    """
    from proxy.config.catalogue import write_catalogue
    from proxy.config.rails_listing import ListingError, import_listing, merge

    try:
        data = sys.stdin.buffer.read() if file is None else file.read_bytes()
        found = import_listing(data.decode("utf-8", "replace"))
    except OSError as error:
        fail(f"{file}: {error.strerror or error}")
    except ListingError as error:
        fail(f"{file or 'stdin'}: {error}")
    rows = found.rows if known is None else merge(found.rows, _known_rows(known))
    text = write_catalogue(rows, _import_comment(found.left_out))
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
        sys.stderr.write(f"{_count(len(rows), 'route')} written to {output}\n")
    for sentence in found.left_out:
        sys.stderr.write(f"left out: {sentence}\n")


def schema(of: Annotated[SchemaOf, typer.Argument(help="Which file's schema.")]) -> None:
    """Print the JSON Schema of a configuration file, for editors."""
    from proxy.config.schema import catalogue_schema, routing_schema

    print_json(routing_schema() if of is SchemaOf.ROUTING else catalogue_schema())


def _usable(file: Path) -> WrittenConfig:
    """The configuration in `file`; leaves with its errors where it is broken."""
    from proxy.config import load

    loaded: Loaded = load(file, os.environ, require_variables=False)
    if loaded.config is None:
        for one in loaded.errors:
            sys.stderr.write(_finding_text(one) + "\n")
        fail(f"{file} is broken: {_count(len(loaded.errors), 'error')}")
    return loaded.config


def _known_rows(file: Path) -> Any:
    from proxy.config.catalogue import read_catalogue
    from proxy.config.errors import Findings

    findings = Findings(str(file))
    try:
        rows = read_catalogue(file.read_bytes(), findings)
    except OSError as error:
        fail(f"{file}: {error.strerror or error}")
    if findings.found:
        for one in findings.found:
            sys.stderr.write(_finding_text(one) + "\n")
        fail(f"{file} is broken: {_count(len(findings.found), 'error')}")
    return rows


def _import_comment(left_out: tuple[str, ...]) -> list[str]:
    lines = [
        "Every route in the order in which Rails tries them: the first match wins.",
        "Made by `banyan routes import`. Complete by hand what may be repeated: `dry: …` for a read that may write,",
        "`unsafe: …` for what may not run twice, `body_token: true` where the body may hold a token or key.",
    ]
    if left_out:
        lines += ["", "Left out:", *(f"  {sentence}" for sentence in left_out)]
    return lines


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        fail(f"expected a header such as 'X-Tenant: blue', got {text!r}")
    return name.strip(), value.strip()


def _secret() -> str | None:
    file = os.environ.get("SECRET_KEY_BASE_FILE")
    if file and "SECRET_KEY_BASE" not in os.environ:
        try:
            return Path(file).read_text(encoding="utf-8").strip() or None
        except OSError as error:
            fail(f"SECRET_KEY_BASE_FILE={file}: {error.strerror or error}")
    return os.environ.get("SECRET_KEY_BASE") or None


def _finding(one: ConfigError) -> dict[str, Any]:
    return {
        "severity": one.severity,
        "file": one.file,
        "line": one.line,
        "column": one.column,
        "code": one.code,
        "message": one.message,
        "remedy": one.remedy,
    }


def _finding_text(one: ConfigError) -> str:
    return f"{one.file}:{one.line}:{one.column}: {one.severity} {one.code}\n  {one.message}\n  → {one.remedy}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _summary(file: Path, config: WrittenConfig) -> str:
    groups = config.written.groups
    claimed = sum(map(len, config.members.values()))
    moving = [group for group in groups.values() if 0 < group.percent < 100 and not group.kill]
    whole = [group for group in groups.values() if group.percent == 100 and not group.kill]
    return (
        f"{file} is usable: {_count(len(config.rows), 'route')}, {claimed} of them in {_count(len(groups), 'group')}; "
        f"{len(whole)} moved, {len(moving)} moving, {len(groups) - len(whole) - len(moving)} at rest."
    )


def _plan_text(found: Plan) -> str:
    lines = []
    if not (found.moves or found.added or found.removed):
        lines.append("Nobody moves.")
    if found.moves:
        lines.append("Moves")
        for move in found.moves:
            lines += _move_lines(move)
    for title, routes in (("New routes", found.added), ("Routes that are gone", found.removed)):
        if routes:
            lines += ["", title, *(f"  {route}" for route in routes)]
    if found.risks:
        lines += ["", "Risks", *(f"  {risk.code}\n    {risk.message}" for risk in found.risks)]
    elif found.moves:
        lines += ["", "No risk that can be seen from here."]
    return "\n".join(lines).lstrip("\n")


def _move_lines(move: Move) -> list[str]:
    name = move.group or "(no group)"
    lines = [f"  {name}: {move.before} → {move.after}"]
    lines += [
        f"    {share:g} % of the users go from {source} to {target}" for source, target, share in move.users
    ]
    shown = move.routes[:6]
    more = f" and {len(move.routes) - len(shown)} more" if len(move.routes) > len(shown) else ""
    lines.append(f"    on {', '.join(shown)}{more}")
    return lines


def _explanation_text(table: Table, question: Question, answer: Explanation) -> str:
    from proxy.routing.explain import WHY

    lines = [
        f"{question.method.upper()} {question.path} → {answer.side}",
        f"  route   {answer.route}"
        + (f"  ({answer.matched})" if answer.matched not in ("", answer.route) else ""),
    ]
    group = next((one for one in table.groups if one.name == answer.group), None)
    if group is None:
        lines.append("  group   none")
    else:
        target = table.backends[group.to_backend].name
        lines.append(f"  group   {group.name}, {group.percent:g} % on {target}")
    if answer.bucket is not None:
        lines.append(f"  bucket  {answer.bucket} of 10000, drawn from: {answer.subject}")
    lines.append(f"  reason  {answer.reason}: {WHY[answer.reason]}")
    return "\n".join(lines)
