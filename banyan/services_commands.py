# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commands of the Python services: services."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from banyan.output import fail


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
    app.command()(services)


def services(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the edge connects.")
    ] = "127.0.0.1:8090",
    admin: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Health and metrics of all workers (default: none)."),
    ] = None,
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, max=256, help="Processes that answer requests; one per core.")
    ] = 1,
) -> None:
    """Answer Loomio's endpoints from Loomio's own database.

    Prints where it listens; port 0 picks a free one. /health and /ready are served at both addresses, /metrics at the
    admin address.

    \b
    SIGTERM, Ctrl-C  take no more connections, answer what is under way, end

    \b
    Environment, as the Rails application has it:
    DATABASE_URL                 its PostgreSQL (?prepared_statements=false behind an older PgBouncer)
    SECRET_KEY_BASE              tells who is signed in, and signs the addresses of files
    RELEASE                      what clients are told is the release
    LOOMIO_SYSTEM_RELOAD, LOOMIO_SYSTEM_NOTICE, SPAM_REGEX

    \b
    Ours:
    BANYAN_DATABASE_POOL=10      connections per worker
    BANYAN_DATABASE_TIMEOUT=10   seconds a statement may take
    BANYAN_LOG=json|console      form of the log, on stderr
    BANYAN_NOW                   ISO time at which the clock starts

    Exit codes: 0 ended as asked, 2 settings or addresses can't be used.
    """
    from banyan.edge_commands import parse_address
    from services.app.parent import StartError, serve
    from services.kernel.settings import SettingsError

    admin_address = None if admin is None else parse_address(admin, "--admin")
    try:
        serve(os.environ, parse_address(listen, "--listen"), admin_address, workers, typer.echo)
    except SettingsError as error:
        for problem in error.problems:
            typer.echo(f"banyan: {problem}", err=True)
        raise SystemExit(2) from error
    except StartError as error:
        fail(str(error))
