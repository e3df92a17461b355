# SPDX-License-Identifier: AGPL-3.0-or-later
"""The processes: started, watched, replaced, drained, and none left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec
import pytest

from contracts.corpus import Corpus
from tests.factories import Factory

ANY_PORT = "127.0.0.1:0"
COMMAND = (sys.executable, "-m", "banyan.cli", "services")
REACTIONS = "/api/v1/reactions?comment_ids=1"


@dataclass(slots=True)
class Processes:
    """A parent with two workers."""

    parent: asyncio.subprocess.Process
    url: str
    admin: str
    client: aiohttp.ClientSession

    async def get(self, url: str) -> tuple[int, bytes]:
        """Status and body, over a connection of its own."""
        async with self.client.get(url, headers={"Connection": "close"}) as answer:
            return answer.status, await answer.read()

    async def pids(self) -> list[int]:
        """The workers that are ready."""
        _, body = await self.get(f"{self.admin}/ready")
        return [worker["pid"] for worker in msgspec.json.decode(body)["workers"] if worker["ready"]]


async def eventually(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until `is_so()`; fail after 20 s."""
    async with asyncio.timeout(20):
        while not await is_so():
            await asyncio.sleep(0.02)


@pytest.fixture
async def processes(corpus: Corpus, database_url: str) -> AsyncIterator[Processes]:
    """Started; killed at the end, if they still run."""
    settings = corpus.env | {"DATABASE_URL": database_url, "BANYAN_LOG": "console"}
    parent = await asyncio.create_subprocess_exec(
        *COMMAND,
        *("--listen", ANY_PORT, "--admin", ANY_PORT, "--workers", "2"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **settings},
    )
    assert parent.stdout is not None
    lines = [(await parent.stdout.readline()).decode() for _ in range(2)]
    urls = [found[0] for line in lines if (found := re.search(r"http://\S+", line))]
    async with aiohttp.ClientSession() as client:
        yield Processes(parent, urls[0], urls[1], client)
    with contextlib.suppress(ProcessLookupError):
        parent.kill()
    await parent.communicate()  # ends when the workers have closed their output, too


async def test_requests_are_counted_over_all_workers(processes: Processes) -> None:
    for _ in range(20):
        assert (await processes.get(f"{processes.url}/api/v1/boot/version"))[0] == 200
    assert (await processes.get(f"{processes.url}/ready"))[0] == 200
    assert len(await processes.pids()) == 2
    _, told = await processes.get(f"{processes.admin}/ready")
    assert {worker["migrations"] for worker in msgspec.json.decode(told)["workers"]} == {"ok"}
    assert (await processes.get(f"{processes.admin}/health"))[0] == 200
    _, described = await processes.get(f"{processes.admin}/openapi.json")
    assert "/api/v1/boot/version" in msgspec.json.decode(described)["paths"]
    _, metrics = await processes.get(f"{processes.admin}/metrics")
    lines = metrics.decode().splitlines()
    assert 'banyan_services_requests_total{route="boot#version",status="200"} 20' in [
        line.removesuffix(".0") for line in lines
    ]
    assert [line.partition(" ")[2] for line in lines if line.startswith("banyan_services_workers ")] in (
        ["2"],
        ["2.0"],
    )


async def test_what_is_under_way_is_answered_before_the_end(processes: Processes, make: Factory) -> None:
    async with make.connection.transaction():
        await make.connection.execute("LOCK TABLE reactions IN ACCESS EXCLUSIVE MODE")
        waiting = asyncio.create_task(processes.get(f"{processes.url}{REACTIONS}"))

        async def is_waiting() -> bool:
            return bool(await make.connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

        await eventually(is_waiting)
        processes.parent.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.2)
        assert processes.parent.returncode is None
    assert (await waiting)[0] == 200
    assert await processes.parent.wait() == 0


async def test_a_worker_that_dies_is_replaced(processes: Processes) -> None:
    before = await processes.pids()
    os.kill(before[0], signal.SIGKILL)

    async def is_replaced() -> bool:
        now = await processes.pids()
        return len(now) == 2 and before[0] not in now

    await eventually(is_replaced)
    assert (await processes.get(f"{processes.url}/health"))[0] == 200
    processes.parent.send_signal(signal.SIGINT)
    assert await processes.parent.wait() == 0


async def test_workers_go_when_their_parent_is_killed(processes: Processes) -> None:
    port = int(processes.url.rpartition(":")[2])
    processes.parent.kill()

    async def is_closed() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    await eventually(is_closed)


async def run_briefly(**settings: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *("--listen", settings.pop("listen", ANY_PORT)),
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], **settings},
    )
    _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_every_problem_with_the_settings_is_told_at_once() -> None:
    status, said = await run_briefly(DATABASE_URL="mysql://x", BANYAN_DATABASE_POOL="none", BANYAN_NOW="soon")
    assert status == 2
    for name in ("DATABASE_URL", "SECRET_KEY_BASE", "BANYAN_DATABASE_POOL", "BANYAN_NOW"):
        assert f"banyan: {name}" in said


async def test_an_address_in_use_is_told(corpus: Corpus) -> None:
    settings: dict[str, Any] = {**corpus.env, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, said = await run_briefly(listen=f"127.0.0.1:{port}", **settings)
    assert status == 2
    assert f"127.0.0.1:{port} can't be listened on" in said
