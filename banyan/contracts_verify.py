# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan contracts verify-writes`: the recorded writes, done again on a database that is laid back after each."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from banyan.contracts_replay import (
    Actors,
    Approvals,
    AsJson,
    Corpus_,
    Endpoints,
    FailOn,
    Form,
    Limit,
    Output,
    Reporting,
    StoreUrl,
    Timeout,
    Url,
    progress_bar,
    say_end,
)
from banyan.output import fail

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from contracts.corpus import Corpus, Write
    from contracts.replay import Progress, Replayed
    from contracts.verify import Manner, Skipped
    from proxy.experiment.tally import Tally


def verify_writes(
    url: Url,
    database_url: Annotated[
        str, typer.Option(metavar="URL", help="The application's database. It is overwritten.")
    ],
    redis_url: Annotated[
        list[str], typer.Option(metavar="URL", help="Its Redis, the publishing one first. They are emptied.")
    ],
    smtp_listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to take the mails that it sends.")
    ],
    corpus: Corpus_ = None,
    outgoing_listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to take web hooks and play the OAuth provider.")
    ] = "127.0.0.1:3999",
    actor: Actors = None,
    endpoint: Endpoints = None,
    limit: Limit = None,
    jobs_command: Annotated[
        str | None, typer.Option(metavar="CMD", help="Does a clock's work; the work's name is added.")
    ] = None,
    files: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Files that forms carry, found by their digest.")
    ] = None,
    settle: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long effects may come after the answer.")
    ] = 2.0,
    quiet: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long to watch for effects too many.")
    ] = 0.1,
    timeout: Timeout = 10.0,
    yes_overwrite: Annotated[
        bool, typer.Option("--yes-overwrite", help="Overwrite them even if they look like somebody's.")
    ] = False,
    form: Form = "table",
    output: Output = None,
    as_json: AsJson = False,
    approvals_file: Approvals = None,
    fail_on: FailOn = "ERR",
    store: StoreUrl = None,
) -> None:
    """Do what the legacy was asked to change, and compare answers, rows, messages, mails and web hooks.

    NEVER name a production database: after each case its rows are laid back to the corpus', and Redis is emptied.
    A database that does not hold the corpus is refused. Cases need settings (`env.json`) that lead mail to
    --smtp-listen and OAuth to --outgoing-listen. The real clock is used.

    Exit codes: 0 all equal, 1 findings or no answer, 2 wrong use, or no corpus, server, database or Redis, 3 nothing
    could be compared.
    """
    from contracts.corpus import Corpus, CorpusError
    from contracts.replay import Filter, ServerUnreachableError
    from contracts.verify import DatabaseError, Manner, RedisFailedError
    from proxy.experiment.tally import Tally

    report = Reporting(form, output, as_json, approvals_file, fail_on, store)
    wanted = Filter(tuple(actor or ()), tuple(endpoint or ()), limit=limit)
    smtp, hooks = address(smtp_listen, "--smtp-listen"), address(outgoing_listen, "--outgoing-listen")
    manner = Manner(timeout, settle, quiet, jobs_command)
    tally = Tally()
    try:
        source = Corpus.open(corpus)
        cases = list(wanted.of(source.writes()))
        if not cases:
            fail(f"{source.folder}: no recorded write fits --actor and --endpoint")
        with progress_bar("writing") as watch:
            done, skipped = _run(
                cases,
                source,
                url,
                (database_url, tuple(redis_url)),
                (smtp, hooks),
                tally,
                manner,
                by_digest(files),
                watch,
                yes_overwrite,
            )
    except CorpusError as error:
        fail(str(error))
    except ServerUnreachableError as error:
        fail(str(error))
    except DatabaseError as error:
        fail(f"--database-url: {error}")
    except RedisFailedError as error:
        fail(f"--redis-url: {error}")
    say_end(done)
    say_skipped(skipped)
    report.finish(tally.take(), {}, "Recorded writes done again", url, done)


def _run(
    cases: Sequence[Write],
    corpus: Corpus,
    url: str,
    stores: tuple[str, tuple[str, ...]],
    listeners: tuple[tuple[str, int], tuple[str, int]],
    tally: Tally,
    manner: Manner,
    files: dict[str, bytes],
    watch: Callable[[Progress], None],
    overwrite: bool,
) -> tuple[Replayed, list[Skipped]]:
    import asyncio
    from contextlib import AsyncExitStack

    from contracts.address import Address, AddressError
    from contracts.verify import Database, Listener, MailServer, Published, Stage, Verifier

    try:
        server = Address.of(url)
    except AddressError as error:
        fail(str(error))

    async def run() -> tuple[Replayed, list[Skipped]]:
        async with AsyncExitStack() as stack:
            try:
                mail = await stack.enter_async_context(MailServer().listening(*listeners[0]))
                hooks = await stack.enter_async_context(Listener().listening(*listeners[1]))
            except OSError as error:
                fail(f"--smtp-listen or --outgoing-listen: {error.strerror or error}")
            redis = await stack.enter_async_context(Published(stores[1], overwrite=overwrite))
            database = await Database.open(stores[0], corpus, overwrite=overwrite)
            stack.push_async_callback(database.close)
            stage = Stage(server, database, redis, mail, hooks)
            verifier = Verifier(stage, corpus, tally, manner, files=files, watch=watch)
            return await verifier.run(cases), verifier.skipped

    return asyncio.run(run())


def say_skipped(skipped: Sequence[Skipped]) -> None:
    """Cases that could not be run, by reason; the report counts them as cancelled."""
    import sys
    from collections import Counter

    for reason, times in Counter(one.reason for one in skipped).most_common():
        sys.stderr.write(f"banyan: {times} cases not run: {reason}\n")


def by_digest(folder: Path | None) -> dict[str, bytes]:
    """The files of a folder by their SHA-256. Leaves with a message where it can't be read."""
    if folder is None:
        return {}
    try:
        contents = [file.read_bytes() for file in sorted(folder.iterdir()) if file.is_file()]
    except OSError as error:
        fail(f"--files {folder}: {error.strerror}")
    return {hashlib.sha256(content).hexdigest(): content for content in contents}


def address(listen: str, option: str) -> tuple[str, int]:
    """HOST:PORT. Leaves with a message where it is none."""
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        fail(f"{option} {listen}: not HOST:PORT; say for example 127.0.0.1:2525")
    return host.removeprefix("[").removesuffix("]"), int(port)
