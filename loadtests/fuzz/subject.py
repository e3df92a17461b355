# SPDX-License-Identifier: AGPL-3.0-or-later
"""The edge under test: another process, or this very loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from loadtests.bench.processes import children, rss_bytes
from loadtests.fuzz.origin import Journal, Origin

_WORDS_OF_CRASH = (
    "Traceback",
    "Fatal error",
    "Exception in",
    "never retrieved",
    "worker died",
    '"level": "error"',
)


class Subject(Protocol):
    """What the run needs to know of the edge."""

    port: int

    async def gauges(self) -> dict[str, float]:
        """What it says is open now: client connections, tunnels, backend connections by state."""
        ...

    def descriptors(self) -> int:
        """File descriptors it has open."""
        ...

    def rss(self) -> int:
        """Bytes it holds in memory."""
        ...

    def complaints(self) -> list[str]:
        """What it said that no edge should say."""
        ...


def routing(broken: int, first: int, second: int) -> str:
    """The routing file: two sides for half of the visitors each, and one whose answers are broken."""
    timeouts = (
        "timeouts: {connect: 5s, request_body: 10s, first_byte: 10s, stream_idle: 10s, tunnel_idle: 10s}"
    )
    # A broken answer counts as a failure; with open circuits nothing would be asked any more.
    more = f"{timeouts}, breaker: {{failures: 0}}, pool: {{wait: 15s}}"
    routes = ", ".join(
        f"{method} /new/*rest" for method in ("GET", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
    )
    urls = {"legacy": broken, "first": first, "second": second}
    backends = "".join(
        f"  {name}: {{urls: ['http://127.0.0.1:{port}'], {more}}}\n" for name, port in urls.items()
    )
    return (
        f"version: 1\nsalt: fuzz\nbackends:\n{backends}defaults: {{to: second}}\n"
        f"groups:\n  half: {{from: first, to: second, percent: 50, routes: [{routes}]}}\n"
    )


@contextlib.asynccontextmanager
async def origins(journal: Journal) -> AsyncIterator[tuple[int, int, int]]:
    """Three origins, by their ports."""
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda: Origin(journal), "127.0.0.1", 0, backlog=1024) for _ in range(3)
    ]
    broken, first, second = (server.sockets[0].getsockname()[1] for server in servers)
    try:
        yield broken, first, second
    finally:
        for server in servers:
            server.close()


class ProcessSubject:
    """`banyan edge`, one worker."""

    def __init__(
        self, port: int, admin: str, worker: int, said: list[str], session: aiohttp.ClientSession
    ) -> None:
        self.port = port
        self._admin = admin
        self._worker = worker
        self._said = said
        self._session = session

    async def gauges(self) -> dict[str, float]:
        """See Subject."""
        async with self._session.get(self._admin + "/metrics") as got:
            lines = (await got.text()).splitlines()
        pairs = (line.rpartition(" ") for line in lines if line.startswith(_GAUGES))
        return {name: float(value) for name, _, value in pairs}

    def descriptors(self) -> int:
        """See Subject."""
        return len(os.listdir(f"/proc/{self._worker}/fd"))

    def rss(self) -> int:
        """See Subject."""
        return rss_bytes([self._worker])

    def complaints(self) -> list[str]:
        """See Subject."""
        gone = [] if os.path.exists(f"/proc/{self._worker}") else ["the worker is gone"]
        return gone + self._said


_GAUGES = ("banyan_edge_connections", "banyan_edge_tunnels", "banyan_edge_backend_connections")


@contextlib.asynccontextmanager
async def edge_process(text: str, folder: Path) -> AsyncIterator[ProcessSubject]:
    """Run `banyan edge` with this routing file on free ports."""
    config = folder / "routing.yaml"
    config.write_text(text)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "banyan.cli", "edge", "--config", str(config), "--listen", "127.0.0.1:0"),
        *("--admin", "127.0.0.1:0", "--access-log", os.devnull, "--drain-seconds", "1"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "SECRET_KEY_BASE": "fuzz" * 16},
    )
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("the pipes asked for are not there")
    said: list[str] = []

    async def listen(stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            text = line.decode("utf-8", "replace")
            if any(word in text for word in _WORDS_OF_CRASH):
                said.append(text)

    listening = asyncio.create_task(listen(process.stderr))
    try:
        async with asyncio.timeout(30), aiohttp.ClientSession() as session:
            first, second = [(await process.stdout.readline()).decode().split()[-1:] for _ in range(2)]
            if not first or not second:
                raise RuntimeError(f"the edge did not start: {said}")
        async with aiohttp.ClientSession() as session:
            port = int(first[0].rpartition(":")[2])
            (worker,) = [pid for pid in children(process.pid) if "proxy.app.worker" in _command(pid)]
            yield ProcessSubject(port, second[0], worker, said, session)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await listening


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")


class LoopSubject:
    """An edge that runs in this loop; `edge` as in proxy.dataplane.edge."""

    def __init__(self, port: int, snapshot: Any) -> None:
        self.port = port
        self._snapshot = snapshot
        self._said: list[str] = []
        asyncio.get_running_loop().set_exception_handler(self._note)

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._said.append(f"{context.get('message')}: {context.get('exception')!r}")

    async def gauges(self) -> dict[str, float]:
        """See Subject."""
        gauges: dict[str, float] = self._snapshot().gauges
        return {name: value for name, value in gauges.items() if name.startswith(_GAUGES)}

    def descriptors(self) -> int:
        """See Subject."""
        return len(os.listdir("/proc/self/fd"))

    def rss(self) -> int:
        """See Subject."""
        return rss_bytes([os.getpid()])

    def complaints(self) -> list[str]:
        """See Subject."""
        return list(self._said)
