# SPDX-License-Identifier: AGPL-3.0-or-later
"""An edge takes over from another: nobody is refused, reset or left waiting, whatever the old one was doing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.proxytest.backend import ScriptedBackend, backends
from tests.proxytest.client import connect, fetch, get
from tests.proxytest.edge import EdgeProcess, edge_process, routing
from tests.proxytest.waiting import until


@dataclass
class Place:
    """Where edges follow one another."""

    file: Path
    path: Path
    legacy: ScriptedBackend

    def edge(self, *arguments: str) -> contextlib.AbstractAsyncContextManager[EdgeProcess]:
        """Start an edge that takes over from the one that runs."""
        return edge_process(
            self.file,
            "--access-log",
            "off",
            "--handover",
            str(self.path),
            "--drain-seconds",
            "10",
            *arguments,
        )


@contextlib.asynccontextmanager
async def place(folder: Path) -> AsyncIterator[Place]:
    async with backends("legacy", "python") as (legacy, python):
        file = folder / "routing.yaml"
        file.write_text(routing(legacy.url, python.url))
        yield Place(file, folder / "edge.sock", legacy)


async def test_no_request_fails_while_edges_follow_one_another(tmp_path: Path) -> None:
    async with place(tmp_path) as here, here.edge("--workers", "2") as first:
        stop = asyncio.Event()
        seen: Counter[str] = Counter()

        async def keep_asking() -> None:
            """One connection as long as the edge keeps it."""
            while not stop.is_set():
                async with connect(first.port) as client:
                    closing = False
                    while not closing and not stop.is_set():
                        got = await client.ask(get("/"))
                        assert (got.status, got.body) == (200, b"legacy")
                        closing = got.value(b"connection") == b"close"
                        seen["kept"] += 1

        async def ask_anew() -> None:
            """A connection for each request."""
            while not stop.is_set():
                got = await fetch(first.port, get("/", "Connection: close"))
                assert (got.status, got.body) == (200, b"legacy")
                seen["new"] += 1

        visitors = [asyncio.create_task(visit()) for visit in (keep_asking, ask_anew) for _ in range(5)]
        await until(lambda: min(seen["kept"], seen["new"]) > 100)
        before = first
        async with contextlib.AsyncExitStack() as stack:
            # One more worker, fewer workers: every socket finds somebody.
            for workers in ("3", "1", "2"):
                after = await stack.enter_async_context(here.edge("--workers", workers))
                assert (after.port, after.admin_url) == (before.port, before.admin_url)
                assert await asyncio.wait_for(before.process.wait(), 20) == 0
                seen.clear()
                await until(lambda: min(seen["kept"], seen["new"]) > 50)
                assert (await after.admin("/ready"))["ready"] is True
                before = after
            stop.set()
            await asyncio.gather(*visitors)


async def test_who_waits_in_the_queue_of_the_old_edge_is_answered_by_the_new(tmp_path: Path) -> None:
    """The old worker stands still, so what connects to it stays in the kernel's queue, request and all."""
    async with place(tmp_path) as here, here.edge() as old, contextlib.AsyncExitStack() as stack:
        (worker,) = (await old.admin("/config"))["workers"]
        os.kill(worker["pid"], signal.SIGSTOP)
        try:
            waiting = [await stack.enter_async_context(connect(old.port)) for _ in range(20)]
            for client in waiting:
                await client.send(get("/"))
            assert here.legacy.asked == []
            await stack.enter_async_context(here.edge())
            assert [(await client.answer()).body for client in waiting] == [b"legacy"] * 20
        finally:
            os.kill(worker["pid"], signal.SIGCONT)
        assert await asyncio.wait_for(old.process.wait(), 20) == 0
        assert [(await client.ask(get("/"))).body for client in waiting] == [b"legacy"] * 20


async def test_a_successor_that_fails_to_start_changes_nothing(tmp_path: Path) -> None:
    async with place(tmp_path) as here, here.edge() as old:
        good = here.file.read_text()
        reader, writer = await asyncio.open_unix_connection(str(here.path))
        assert b"sockets" in await reader.read(100)
        writer.close()  # a successor that died
        await until(lambda: any("went away" in line for line in old.errors))
        here.file.write_text("version: 2\n")
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "banyan.cli",
                "edge",
                "--config",
                str(here.file),
                "--handover",
                str(here.path),
            ),
            stderr=asyncio.subprocess.PIPE,
        )
        assert await process.wait() == 2
        here.file.write_text(good)
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "banyan.cli",
                "edge",
                "--config",
                str(here.file),
                "--handover",
                str(here.path),
            ),
            *("--listen", "127.0.0.1:1"),
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        assert process.returncode == 2
        assert b"--listen says 127.0.0.1:1" in said
        assert (await fetch(old.port, get("/"))).body == b"legacy"
        async with here.edge() as new:
            assert await asyncio.wait_for(old.process.wait(), 20) == 0
            assert (await fetch(new.port, get("/"))).body == b"legacy"
        assert not here.path.exists()


async def test_only_the_owner_may_take_over(tmp_path: Path) -> None:
    async with place(tmp_path) as here, here.edge():
        assert here.path.stat().st_mode & 0o777 == 0o600
