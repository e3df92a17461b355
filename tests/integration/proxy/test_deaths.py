# SPDX-License-Identifier: AGPL-3.0-or-later
"""A worker that is killed in the middle of requests: who suffers, and who does not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from pathlib import Path

import aiohttp

from tests.proxytest.backend import Asked, answer, backends
from tests.proxytest.client import RawClient, connect, fetch, get
from tests.proxytest.edge import EdgeProcess, edge_process, routing
from tests.proxytest.waiting import until

_REQUESTS = re.compile(r"^banyan_edge_requests_total\{.*\} (\d+)$", re.MULTILINE)


async def counted(edge: EdgeProcess) -> int:
    """All requests that the metrics know of."""
    async with aiohttp.ClientSession() as session, session.get(edge.admin_url + "/metrics") as got:
        return sum(map(int, _REQUESTS.findall(await got.text())))


def held_by(pid: int, port: int) -> set[int]:
    """The ports of the clients whose connections to `port` a process holds."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            inodes.add(os.readlink(descriptor).removeprefix("socket:[").removesuffix("]"))
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {
        int(row[2].partition(":")[2], 16)
        for row in rows
        if int(row[1].partition(":")[2], 16) == port and row[9] in inodes
    }


async def test_only_what_was_under_way_in_a_killed_worker_fails(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        file = tmp_path / "routing.yaml"
        file.write_text(routing(legacy.url, python.url))
        going_on = asyncio.Event()

        async def wait(asked: Asked, _reader: Reader, writer: Writer) -> None:
            if asked.target == b"/slow":
                await going_on.wait()
            writer.write(answer(b"legacy"))

        legacy.script = wait
        async with (
            edge_process(file, "--access-log", "off", "--workers", "2") as edge,
            contextlib.AsyncExitStack() as stack,
        ):
            busy = [await stack.enter_async_context(connect(edge.port)) for _ in range(40)]
            idle = [await stack.enter_async_context(connect(edge.port)) for _ in range(10)]
            for client in busy:
                await client.send(get("/slow"))
            for client in idle:
                assert (await client.ask(get("/"))).body == b"legacy"
            await until(lambda: len(legacy.asked) == 50)
            assert await counted(edge) == 10

            killed, _ = (worker["pid"] for worker in (await edge.admin("/config"))["workers"])
            lost = held_by(killed, edge.port)
            assert 0 < len(lost) < 50
            os.kill(killed, signal.SIGKILL)
            seen = [await counted(edge)]
            # New connections are answered at once by the other worker, or wait for the new one: none fails.
            for _ in range(20):
                assert (await fetch(edge.port, get("/", "Connection: close"))).body == b"legacy"
                seen.append(await counted(edge))
            going_on.set()

            async def fails(client: RawClient) -> bool:
                try:
                    return (await client.answer()).body != b"legacy"
                except (ConnectionError, AssertionError):
                    return True

            failed = {_port(client) for client in busy if await fails(client)}
            assert failed == lost & {_port(client) for client in busy}
            seen.append(await counted(edge))
            assert seen == sorted(seen)
            assert seen[-1] == 10 + 20 + 40 - len(failed)
            async with asyncio.timeout(10):
                while len([w for w in (await edge.admin("/config"))["workers"] if w["pid"]]) < 2:
                    await asyncio.sleep(0.05)


def _port(client: RawClient) -> int:
    port: int = client.writer.get_extra_info("sockname")[1]
    return port
