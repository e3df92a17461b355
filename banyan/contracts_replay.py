# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan contracts replay`: the recorded reads, asked again of any server."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from banyan.output import Exit, fail
from banyan.report_commands import finish, parse_format, parse_severity

if TYPE_CHECKING:
    from contracts.replay import Progress, Replayed
    from contracts.report import Recorded
    from proxy.experiment.evidence import Batch, Found

Corpus_ = Annotated[
    Path | None, typer.Argument(metavar="[CORPUS]", help="Folder of recordings (default: our own).")
]
Url = Annotated[str, typer.Option(metavar="URL", help="The server under test: http://HOST:PORT.")]
Actors = Annotated[
    list[str] | None, typer.Option("--actor", metavar="NAME", help="Only what this person asked; repeatable.")
]
Endpoints = Annotated[
    list[str] | None, typer.Option("--endpoint", metavar="GLOB", help="Only these endpoints: discussions#*.")
]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="No more than N of these cases.")]
Timeout = Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="How long to wait for one answer.")]
Form = Annotated[
    str, typer.Option("--format", metavar="table|markdown|html|json|junit", help="Form of the report.")
]
Output = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the report there (default: stdout).")
]
AsJson = Annotated[bool, typer.Option("--json", help="The same as --format json.")]
Approvals = Annotated[
    Path | None, typer.Option("--approvals", metavar="FILE", help="Accepted differences (YAML).")
]
FailOn = Annotated[
    str, typer.Option(metavar="ERR|WARN|INFO", help="The least serious finding that makes exit code 1.")
]
StoreUrl = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="Add the evidence to this diff store, too.")
]


def replay(
    url: Url,
    corpus: Corpus_ = None,
    actor: Actors = None,
    endpoint: Endpoints = None,
    route: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Only these routes: /api/v1/polls*.")
    ] = None,
    limit: Limit = None,
    concurrency: Annotated[
        int, typer.Option(min=1, max=100, metavar="N", help="Requests under way at once.")
    ] = 4,
    timeout: Timeout = 10.0,
    form: Form = "table",
    output: Output = None,
    as_json: AsJson = False,
    approvals_file: Approvals = None,
    fail_on: FailOn = "ERR",
    store: StoreUrl = None,
) -> None:
    """Ask a server what the legacy was asked, and compare its answers with the recorded ones.

    The server needs the corpus' data (`banyan sample-db`), its settings (`env.json`) and, because some answers
    depend on the time, a clock that starts when the corpus was recorded (BANYAN_NOW for our services).

    Exit codes: 0 all equal, 1 findings or no answer, 2 no corpus, no such case or no server, 3 nothing could be
    compared.
    """
    import asyncio

    from contracts.address import Address, AddressError
    from contracts.corpus import Corpus, CorpusError
    from contracts.learned import learned_from
    from contracts.replay import Filter, ServerUnreachableError
    from contracts.replay import replay as run
    from contracts.report import recorded_coverage
    from contracts.traffic import ready
    from proxy.experiment.tally import Tally

    report = Reporting(form, output, as_json, approvals_file, fail_on, store)
    wanted = Filter(tuple(actor or ()), tuple(endpoint or ()), tuple(route or ()), limit)
    tally = Tally()
    try:
        server = Address.of(url)
        source = Corpus.open(corpus)
        cases = [case for case in source.reads() if wanted.wants_endpoint(case)]
        requests = [ready(case, source.sessions.get(case.actor, {})) for case in wanted.of(cases)]
        if not requests:
            fail(f"{source.folder}: no recorded read fits --actor, --endpoint and --route")
        with progress_bar("asking") as watch:
            done = asyncio.run(
                run(requests, server, tally, concurrency=concurrency, patience=timeout, watch=watch)
            )
    except (CorpusError, AddressError, ServerUnreachableError) as error:
        fail(str(error))
    say_end(done)
    batch = tally.take()
    explain = learned_from(source, {found.route for found in batch.findings}).explanations()
    report.finish(batch, recorded_coverage(cases), "Replay of recorded reads", str(server), done, explain)


class Reporting:
    """How a run is reported. Wrong options are refused before the run begins."""

    def __init__(
        self,
        form: str,
        output: Path | None,
        as_json: bool,
        approvals: Path | None,
        fail_on: str,
        store: str | None,
    ) -> None:
        """Leaves with a message where an option is wrong."""
        from contracts.report import ApprovalsError, read_approvals

        self._form = parse_format("json" if as_json else form)
        self._fail_on = parse_severity(fail_on)
        self._output = output
        self._store = store
        try:
            self._approvals = () if approvals is None else read_approvals(approvals)
        except ApprovalsError as error:
            fail(str(error))

    def finish(
        self,
        batch: Batch,
        recorded: Recorded,
        title: str,
        scope: str,
        done: Replayed,
        explain: Callable[[Found], str] = lambda _: "",
    ) -> NoReturn:
        """Write the report and leave with the exit code: a case that got no answer is no success."""
        from contracts.report import judge
        from proxy.experiment.evidence import Evidence

        if self._store:
            _keep(self._store, batch)
        made = judge(
            Evidence.of(batch),
            now=time.time(),
            title=title,
            scope=scope,
            fail_on=self._fail_on,
            approvals=self._approvals,
            recorded=recorded,
            explain=explain,
        )
        try:
            finish(made, self._form, self._output)
        except SystemExit as end:
            silent = done.progress.silent or done.stopped
            raise SystemExit(int(Exit.NO) if end.code == Exit.OK and silent else end.code) from None
        raise AssertionError("finish leaves")


def _keep(url: str, batch: Batch) -> None:
    from banyan.report_commands import with_store

    with_store(url, lambda store: store.write(batch))


def say_end(done: Replayed) -> None:
    """What a report does not tell: how long it took, and why it ended early."""
    progress = done.progress
    typer.echo(f"{progress.done} of {progress.total} cases in {done.seconds:.1f} s", err=True)
    if done.stopped:
        typer.echo(f"banyan: stopped early: {done.stopped}; the report covers what came before", err=True)
    elif progress.silent:
        typer.echo(f"banyan: {progress.silent} cases got no whole answer", err=True)


@contextmanager
def progress_bar(doing: str) -> Iterator[Callable[[Progress], None]]:
    """A bar on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    if not sys.stderr.isatty():
        yield lambda progress: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[different]} different"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None, different=0)
        yield lambda progress: bar.update(
            task, total=progress.total, completed=progress.done, different=progress.different
        )
