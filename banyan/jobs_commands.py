# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan jobs`: the operator's view of the services' job queue."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from services.kernel.db import Session

Answer = TypeVar("Answer")

_JSON = typer.Option("--json", help="The outcome as JSON.")


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
    jobs = typer.Typer(
        help="Look at the services' jobs, and retry, drop or start some.", no_args_is_help=True
    )
    jobs.command("list")(list_jobs)
    jobs.command()(retry)
    jobs.command()(discard)
    jobs.command("run")(run_job)
    app.add_typer(jobs, name="jobs")


def list_jobs(
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help="Only these: queued, picked (they run) or failed.")
    ] = None,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Only jobs of this kind.")] = None,
    most: Annotated[int, typer.Option(min=1, metavar="N", help="The newest N.")] = 50,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Show jobs that are queued, run or failed for good, newest first. Payloads are not shown: they may name people.

    Needs the services' environment. Exit codes: 0 shown, 1 some failed, 2 no database, or wrong use.
    """
    from banyan.output import Exit, fail, print_json
    from services.kernel.jobs import queue

    if state not in (None, "queued", "picked", "failed"):
        fail(f"--state {state}: write queued, picked or failed")

    async def look(session: Session) -> Any:
        return await queue.jobs(session, state=state, kind=kind, most=most), await queue.counted(session)

    rows, counts = _in_session(look)
    failed = sum(count.number for count in counts if count.state == "failed")
    if as_json:
        print_json({"jobs": rows, "counts": counts})
    else:
        _print_table(rows)
        told = [f"{count.number} {count.kind} {count.state}" for count in counts]
        typer.echo(", ".join(told) or "no jobs")
    raise SystemExit(int(Exit.NO if failed else Exit.OK))


def retry(
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID]…", help="Failed jobs.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every failed job.")] = False,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Every failed job of this kind.")] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Have failed jobs tried anew, from the first try.

    Needs the services' environment. Exit codes: 0 done, 1 none of them had failed, 2 no database, or wrong use.
    """
    from banyan.output import fail
    from services.kernel.jobs import queue

    if not ids and not everything and kind is None:
        fail("name jobs by their ids, or say --kind KIND, or --all")
    _tell("retried", _in_session(lambda session: queue.retry(session, ids or None, kind)), as_json)


def discard(
    ids: Annotated[list[int], typer.Argument(metavar="ID…", help="Jobs that are queued or failed.")],
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Drop jobs for good. One that runs is left alone.

    Needs the services' environment. Exit codes: 0 done, 1 none of them was there, 2 no database, or wrong use.
    """
    from services.kernel.jobs import queue

    _tell("discarded", _in_session(lambda session: queue.discard(session, ids)), as_json)


def run_job(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="A kind of job, such as tidy.")],
    payload: Annotated[str, typer.Option(metavar="JSON", help="What it is given.")] = "{}",
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Enqueue a job now; a worker (`banyan services jobs`) runs it.

    Needs the services' environment. Exit codes: 0 enqueued, 1 one of its name waits already, 2 no such kind, or wrong
    use.
    """
    import msgspec

    from banyan.output import fail
    from services.app.jobs import KINDS
    from services.kernel.jobs import queue
    from services.kernel.jobs.kinds import by_name

    kinds = by_name(KINDS)
    chosen = kinds.get(kind)
    if chosen is None:
        fail(f"there is no kind {kind!r}; there is {', '.join(sorted(kinds))}")
    try:
        given = msgspec.json.decode(payload, type=chosen.payload)
    except msgspec.MsgspecError as error:
        fail(f"--payload: {error}")
    job_id = _in_session(lambda session: queue.enqueue(session, chosen, given))
    _tell("enqueued", [] if job_id is None else [job_id], as_json)


def _in_session(act: Callable[[Session], Awaitable[Answer]]) -> Answer:
    """Do something in the database of the environment, or say why that can't be."""
    import asyncio

    import asyncpg

    from banyan.output import fail
    from services.kernel.db import Database
    from services.kernel.errors import UnavailableError
    from services.kernel.settings import Settings, SettingsError

    async def run() -> Answer:
        async with Database.open(settings.database) as database, database.session() as session:
            return await act(session)

    try:
        settings = Settings.from_environment(os.environ)
        return asyncio.run(run())
    except SettingsError as error:
        fail("; ".join(error.problems))
    except UnavailableError as error:
        fail(f"{error}; is PostgreSQL running, and DATABASE_URL right?")
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        fail("the database has no job queue; run `banyan migrate --url …` first")


def _tell(done: str, ids: list[int], as_json: bool) -> None:
    from banyan.output import Exit, print_json

    if as_json:
        print_json({done: ids})
    else:
        typer.echo(f"{done} {', '.join(map(str, ids))}" if ids else f"none {done}")
    raise SystemExit(int(Exit.OK if ids else Exit.NO))


def _print_table(rows: list[Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "kind", "state", "tries", "due (UTC)", "progress", "why"):
        table.add_column(heading, justify="right" if heading in ("id", "tries") else "left")
    for row in rows:
        progress = "" if row.total is None else f"{row.done}/{row.total}"
        cells = (
            str(row.id),
            row.kind,
            row.state,
            str(row.attempts),
            f"{row.due:%Y-%m-%d %H:%M:%S}",
            progress,
        )
        table.add_row(*cells, row.error or "")
    Console().print(table)
