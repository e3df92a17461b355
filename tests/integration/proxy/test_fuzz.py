# SPDX-License-Identifier: AGPL-3.0-or-later
"""A part of `make fuzz` with fixed seeds, in this process; see loadtests/fuzz."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from loadtests.fuzz.__main__ import read_found, write_found
from loadtests.fuzz.cases import make_case
from loadtests.fuzz.judge import Failure, Found, Received
from loadtests.fuzz.origin import Journal
from loadtests.fuzz.run import Run, make_smaller
from loadtests.fuzz.subject import LoopSubject, origins, routing
from tests.proxytest.edge import InProcessEdge, in_process_edge

BOTH_LOOPS = True


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of refusals are not worth a line each."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.configure(**before)


@contextlib.asynccontextmanager
async def running(folder: Path, seed: int) -> AsyncIterator[tuple[Run, InProcessEdge]]:
    journal = Journal(seed)
    async with origins(journal) as ports, in_process_edge(routing(*ports), folder) as edge:
        yield Run(LoopSubject(edge.port, edge.edge.snapshot), journal, connections=16), edge


@pytest.mark.parametrize("seed", [20260101, 7])
async def test_broken_requests_and_answers_find_nothing(tmp_path: Path, seed: int) -> None:
    async with running(tmp_path, seed) as (run, edge):
        report = await run.run(3000)
        assert not report.failed, (report.found[:1], report.leaks, report.complaints)
        assert report.requests >= 3000
        assert all(report.cases[kind] > 50 for kind in ("valid", "asked", "answered"))
        assert {200, 400, 502} <= set(report.statuses)
        # Every exchange is accounted for once: as many as reached an origin, and those that could not.
        assert sum(edge.requests().values()) >= report.reached_origin


async def test_hypothesis_finds_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, 1) as (run, _):
        await run.explore(150)
        assert not run.report.failed, (run.report.found, run.report.complaints)


async def test_a_failing_case_is_made_small_and_can_be_replayed(tmp_path: Path) -> None:
    """With an edge that swaps answers: no real one does."""
    journal = Journal(3)
    server = await asyncio.start_server(_swapping, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        run = Run(LoopSubject(port, lambda: None), journal)
        found = None
        number = 0
        while found is None or found.failure.kind != "swapped":
            case = make_case(3, number)
            number += 1
            found = await run.attempt(case) if case.kind == "asked" and len(case.sent) > 300 else None
        small = await make_smaller(run, found)
        assert small.failure.kind == "swapped"
        assert len(small.case.sent) < len(found.case.sent) / 4
        file = tmp_path / "failing.json"
        write_found(small, 3, file)
        seed, again = read_found(file)
        assert (seed, again) == (3, small.case)
        replayed = await run.attempt(again)
        assert replayed is not None
        assert replayed.failure.kind == "swapped"


async def _swapping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if b"HTTP/1.1\r\n" in await reader.read():
        echo = b"/of-another".hex().encode() + b" " + b"m0".hex().encode() + b" GET"
        writer.write(b"HTTP/1.1 200 OK\r\nX-Echo: " + echo + b"\r\nContent-Length: 0\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        await writer.drain()
    writer.close()


def test_a_report_that_found_something_has_failed() -> None:
    run = Run(_NoSubject(), Journal(1))
    assert not run.report.failed
    case = make_case(1, 1)
    run.report.found.append(Found(case, Failure("hang", ""), Received(b"", "hang")))
    assert run.report.failed


class _NoSubject:
    port = 0

    async def gauges(self) -> dict[str, float]:
        return {}

    def descriptors(self) -> int:
        return 0

    def rss(self) -> int:
        return 0

    def complaints(self) -> list[str]:
        return []
