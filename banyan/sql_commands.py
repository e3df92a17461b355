# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commands around the services' SQL: sql check, sql models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SchemaOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="The schema, as pg_dump --schema-only writes it (default: the recorded one)."
    ),
]


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
    family = typer.Typer(
        help="The services' SQL beside the schema.", no_args_is_help=True, rich_markup_mode=None
    )
    family.command()(check)
    family.command()(models)
    app.add_typer(family, name="sql")


def check(
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Prepare on this database, which stays as it is (default: a new, empty one)."
        ),
    ] = None,
    schema: SchemaOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The findings as JSON.")] = False,
) -> None:
    """Prepare every statement of the services, and compare its columns with the Python types they are loaded into.

    Without --url a PostgreSQL of its own is started, with the schema and Banyan's migrations.

    Exit codes: 0 all fit, 1 findings (file:line, statement, code, cause, remedy), 2 no database, or a file is broken.
    """
    import asyncio

    from banyan.output import Exit, fail, print_json
    from banyan.sqlcheck import CheckError, check_at, check_on_schema
    from contracts.corpus import OWN_COPY

    try:
        report = (
            check_on_schema(schema or OWN_COPY / "schema.sql") if url is None else asyncio.run(check_at(url))
        )
    except CheckError as error:
        fail(str(error))
    if as_json:
        print_json(report)
    else:
        for one in report.findings:
            typer.echo(f"{one.file}:{one.line}: {one.statement}: {one.code}: {one.message}; {one.remedy}")
        typer.echo(f"{report.statements} statements, {len(report.findings)} findings")
    if report.findings:
        raise SystemExit(int(Exit.NO))


def models(
    write: Annotated[bool, typer.Option("--write", help="Write services/kernel/rows.py anew.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only tell whether it is up to date.")] = False,
    schema: SchemaOption = None,
) -> None:
    """The typed rows of all tables, from the schema. Without an option they go to stdout.

    Exit codes: 0 done or up to date, 1 they are not what the schema says, 2 the schema can't be read.
    """
    from banyan.output import Exit, fail
    from banyan.sqlcheck import CheckError, models_of
    from contracts.corpus import OWN_COPY
    from services import kernel

    source = schema or OWN_COPY / "schema.sql"
    file = Path(kernel.__file__).with_name("rows.py")
    try:
        text = models_of(source)
    except CheckError as error:
        fail(str(error))
    if write:
        file.write_text(text, "utf-8")
        typer.echo(f"wrote {file}")
    elif not check:
        typer.echo(text, nl=False)
    elif not file.exists() or file.read_text("utf-8") != text:
        fail(f"{file} is not what {source} says; run banyan sql models --write", Exit.NO)
