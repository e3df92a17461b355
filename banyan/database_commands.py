# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commands around databases: sample-db."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
    app.command("sample-db")(sample_db)


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
    typer.echo(f"filled from {folder}")
