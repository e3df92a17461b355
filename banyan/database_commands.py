# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commands around databases: migrate, sample-db."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
    app.command()(migrate)
    app.command("sample-db")(sample_db)


def migrate(
    url: Annotated[
        str, typer.Option(metavar="URL", help="The database: postgres://user:password@host:port/name.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be applied.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as JSON.")] = False,
) -> None:
    """Create or upgrade schema `banyan`: the edge's tables and the services'. No other schema is touched.

    May be repeated, and run by several at once. All of it is applied, or nothing.

    Exit codes: 0 up to date (or, in a dry run, told), 1 the database can't be reached, 2 it refuses, or a file that was
    applied is not what it was.
    """
    import asyncio

    from banyan.migrations import MigrationError
    from banyan.migrations import migrate as run
    from banyan.output import Exit, fail, print_json

    try:
        report = asyncio.run(run(url, dry_run=dry_run))
    except MigrationError as error:
        fail(f"{error.code}: {error}", Exit.NO if error.code == "database-away" else Exit.BROKEN)
    if as_json:
        print_json(report)
        return
    for title in report.applied:
        typer.echo(f"{'would apply' if dry_run else 'applied'} {title}")
    if report.queue:
        typer.echo(f"{'would make' if dry_run else 'made'} {report.queue}")
    typer.echo(
        f"schema banyan: {len(report.before)} applied before, {len(report.applied)} {'to do' if dry_run else 'now'}"
    )


def sample_db(
    url: Annotated[
        str, typer.Option(metavar="URL", help="Database to make: postgres://user:password@host:port/name.")
    ],
    corpus: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of recordings: its schema.sql and data.sql (default: our own)."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Drop what the database holds first.")] = False,
) -> None:
    """Create a database and fill it with recorded data: extensions, tables, rows, sequences.

    Exit codes: 0 done, 2 the database is there already and not empty, can't be reached, or DIR is no corpus.
    """
    import asyncio

    from banyan import output
    from banyan.sampledb import SampleDatabaseError, make_database
    from contracts.corpus import OWN_COPY

    def progress(step: str) -> None:
        typer.echo(f"{step} …", err=True)

    folder = corpus or OWN_COPY
    try:
        asyncio.run(make_database(url, folder, force=force, progress=progress))
    except SampleDatabaseError as error:
        output.fail(str(error))
    typer.echo(f"filled from {folder}; before the services use it: banyan migrate --url …")
