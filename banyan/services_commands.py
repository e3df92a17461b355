# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commands of the Python services: services, services jobs, services config."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Annotated

import typer

from banyan.output import fail


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
    family = typer.Typer(invoke_without_command=True)
    family.callback()(services)
    family.command()(jobs)
    family.command()(config)
    app.add_typer(family, name="services")


def services(
    context: typer.Context,
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
    if context.invoked_subcommand is not None:
        return
    from banyan.edge_commands import parse_address
    from services.app.parent import serve

    admin_address = None if admin is None else parse_address(admin, "--admin")
    with _told_why_not():
        serve(os.environ, parse_address(listen, "--listen"), admin_address, workers, typer.echo)


def jobs(
    admin: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Health and metrics (default: none).")
    ] = None,
    at_once: Annotated[
        int, typer.Option(metavar="N", min=1, max=1000, help="Jobs that run at the same time.")
    ] = 10,
    grace: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0, help="How long jobs may go on after the order to stop."),
    ] = 25.0,
    schedules: Annotated[
        bool,
        typer.Option(
            "--schedules",
            envvar="BANYAN_SCHEDULES",
            help="Start by the clock what Rails starts, too: only once Rails does not any more, or mails go twice.",
        ),
    ] = False,
) -> None:
    """Work behind the answers: run jobs, start what is due, tell Redis what the outbox holds.

    Any number of these may run. `banyan jobs` shows what there is to do; `banyan migrate` makes the tables.

    \b
    SIGTERM, Ctrl-C  take no more jobs, finish those under way, put back what does not end in time

    Needs the services' environment, and REDIS_URL (or REDIS_CACHE_URL and REDIS_QUEUE_URL).

    Exit codes: 0 ended as asked, 2 settings or addresses can't be used.
    """
    from banyan.edge_commands import parse_address
    from services.app.jobs import serve
    from services.kernel.jobs.worker import Pace

    admin_address = None if admin is None else parse_address(admin, "--admin")
    pace = Pace(at_once=at_once, grace=grace)
    with _told_why_not():
        serve(os.environ, typer.echo, admin_address=admin_address, pace=pace, legacies_schedules=schedules)


@contextlib.contextmanager
def _told_why_not() -> Iterator[None]:
    """Say in words why something can't start, every reason, and leave."""
    from services.app.parent import StartError
    from services.kernel.settings import SettingsError

    try:
        yield
    except SettingsError as error:
        for problem in error.problems:
            typer.echo(f"banyan: {problem}", err=True)
        raise SystemExit(2) from error
    except StartError as error:
        fail(str(error))


def config(
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, help="Processes, to count connections for.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show the settings that the environment comes to, without what is secret; or everything that is wrong with it.

    Exit codes: 0 shown, 2 settings can't be used.
    """
    from banyan.output import print_json
    from services.kernel.redacted import shown
    from services.kernel.settings import Settings

    with _told_why_not():
        values = shown(Settings.from_environment(os.environ), workers)
    if as_json:
        print_json(values)
        return
    for name, value in values.items():
        for inner, part in value.items() if isinstance(value, dict) else (("", value),):
            label = f"{name}.{inner}" if inner else name
            typer.echo(f"{label:<32} {'-' if part is None else part}")
