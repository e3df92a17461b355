# SPDX-License-Identifier: AGPL-3.0-or-later
"""An edge in the test's own loop, or as a process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from proxy.config.load import load
from proxy.dataplane.edge import Edge
from proxy.routing.compile import compile_table
from proxy.routing.subject import SubjectReader
from proxy.routing.table import Table
from proxy.telemetry.log import AccessLog
from tests.proxytest.backend import ScriptedBackend

SECRET = "a-secret-for-tests-" * 4


def routing(legacy: str, python: str, groups: str = "", more: str = "", *, backend: str = "") -> str:
    """A routing file for two backends. `groups` are lines of the groups mapping, `more` further top-level keys,
    `backend` further keys of both backends (`timeouts: {…}`)."""
    keys = f", {backend}" if backend else ""
    lines = "".join(f"  {line}\n" for line in groups.splitlines())
    return (
        "version: 1\nsalt: test\n"
        f"backends:\n  legacy: {{urls: ['{legacy}']{keys}}}\n  python: {{urls: ['{python}']{keys}}}\n"
        f"{more}\n" + (f"groups:\n{lines}" if lines else "")
    )


def table_of(text: str, folder: Path, generation: int = 1) -> Table:
    """Compile a routing file's text."""
    file = folder / "routing.yaml"
    file.write_text(text)
    loaded = load(file, {})
    assert loaded.config is not None, loaded.errors
    return compile_table(loaded.config, generation)


class InProcessEdge:
    """The data plane of one worker, and where it listens."""

    def __init__(self, edge: Edge, port: int, folder: Path) -> None:
        self.edge = edge
        self.port = port
        self._folder = folder

    def install(self, text: str) -> None:
        """Switch to another configuration."""
        self.edge.install(table_of(text, self._folder, self.edge.table.generation + 1))

    def counted(self, name: str) -> int:
        """The sum of a counter's series."""
        counters = self.edge.snapshot().counters
        return sum(value for series, value in counters.items() if series.partition("{")[0] == name)

    def requests(self) -> dict[tuple[str, str], int]:
        """(route, side) → how many were accounted for."""
        counted: Counter[tuple[str, str]] = Counter()
        for cell in self.edge.snapshot().cells:
            counted[cell.route, cell.side] += cell.requests
        return counted


@contextlib.asynccontextmanager
async def in_process_edge(
    text: str, folder: Path, *, log: Path | None = None
) -> AsyncIterator[InProcessEdge]:
    """Run the data plane with this configuration."""
    loop = asyncio.get_running_loop()
    reader = SubjectReader(SECRET, now=lambda: datetime.now(UTC))
    access_log = AccessLog("off" if log is None else str(log), "json", time.time)
    edge = Edge(loop, table_of(text, folder), reader, access_log, os.urandom(8).hex())
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(1024)
    sock.setblocking(False)
    await edge.listen(sock)
    try:
        yield InProcessEdge(edge, sock.getsockname()[1], folder)
    finally:
        await edge.drain(0)
        await edge.close()


@contextlib.asynccontextmanager
async def two_sides(
    folder: Path, groups: str = "", more: str = "", *, backend: str = "", log: Path | None = None
) -> AsyncIterator[tuple[InProcessEdge, ScriptedBackend, ScriptedBackend]]:
    """An edge in this loop between two scripted backends: (edge, legacy, python)."""
    legacy, python = ScriptedBackend("legacy"), ScriptedBackend("python")
    await legacy.start()
    await python.start()
    try:
        text = routing(legacy.url, python.url, groups, more, backend=backend)
        async with in_process_edge(text, folder, log=log) as edge:
            yield edge, legacy, python
    finally:
        await legacy.stop()
        await python.stop()


class EdgeProcess:
    """`banyan edge` as a child process."""

    def __init__(
        self, process: asyncio.subprocess.Process, port: int, admin_url: str, errors: list[str]
    ) -> None:
        self.process = process
        self.port = port
        self.admin_url = admin_url
        self.errors = errors

    async def admin(self, path: str, *, method: str = "GET", **how: Any) -> Any:
        """Ask the admin port; the answer's JSON."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.admin_url + path, **how) as got,
        ):
            return await got.json()


@contextlib.asynccontextmanager
async def edge_process(
    config: Path, *arguments: str, environ: Mapping[str, str] | None = None
) -> AsyncIterator[EdgeProcess]:
    """Start an edge on free ports; stop it at the end, by force if need be."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "banyan.cli", "edge", "--config", str(config)),
        *("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # Tests wait for comparisons on machines that are never idle.
        env={
            **os.environ,
            "SECRET_KEY_BASE": SECRET,
            "BANYAN_MIRROR_SCHEDULING": "normal",
            **(environ or {}),
        },
    )
    assert process.stdout is not None
    assert process.stderr is not None
    errors: list[str] = []

    async def drain_errors(stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            errors.append(line.decode())

    draining = asyncio.create_task(drain_errors(process.stderr))
    try:
        async with asyncio.timeout(30):
            urls = [(await process.stdout.readline()).decode().split()[-1:] for _ in range(2)]
        assert all(urls), f"the edge did not start: {''.join(errors)}"
        port = int(urls[0][0].rpartition(":")[2])
        yield EdgeProcess(process, port, urls[1][0], errors)
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(20):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        await draining
