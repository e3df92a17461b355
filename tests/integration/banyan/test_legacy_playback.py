# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan legacy-playback` as an operator runs it."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.proxytest.client import fetch, get
from tests.unit.contracts.corpora import read_case, write_corpus

COMMAND = (sys.executable, "-m", "banyan.cli", "legacy-playback")


@asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[tuple[Process, int]]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "--listen", "127.0.0.1:0", *arguments, stdout=PIPE, stderr=PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode()
        assert line.startswith("recorded legacy on http://127.0.0.1:")
        yield process, int(line.rpartition(":")[2])
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_serves_our_own_recordings_until_a_signal(number: signal.Signals) -> None:
    async with started() as (process, port):
        assert (await fetch(port, get("/up", "Accept: text/html"))).body == b"ok"
        assert (await fetch(port, get("/nothing"))).status == 501
        process.send_signal(number)
        async with asyncio.timeout(10):
            _, errors = await process.communicate()
        assert process.returncode == 0
        assert errors == b"2 requests, 1 of them not recorded\n"


async def test_serves_any_corpus_and_misbehaves_on_demand(tmp_path: Path) -> None:
    write_corpus(tmp_path, [read_case("/other", {"is": "there"})])
    ask = get("/other", "Accept: application/json")
    async with started("--corpus", str(tmp_path), "--latency-ms", "1") as (_, port):
        assert (await fetch(port, ask)).body == b'{"is":"there"}'
    async with started("--corpus", str(tmp_path), "--error-rate", "1") as (_, port):
        assert (await fetch(port, ask)).status == 500


async def refused(*arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(20):
        _, errors = await process.communicate()
    return process.returncode, errors.decode()


async def test_wrong_use_is_named(tmp_path: Path) -> None:
    code, errors = await refused("--listen", "127.0.0.1:0", "--corpus", str(tmp_path))
    assert code == 2
    assert errors.startswith(f"banyan: {tmp_path}: no reads.jsonl there")
    assert await refused("--listen", "3000") == (
        2,
        "banyan: --listen 3000: not HOST:PORT; say for example 127.0.0.1:3000\n",
    )
    code, errors = await refused("--listen", "127.0.0.1:0", "--error-rate", "0.6", "--cut-rate", "0.6")
    assert (code, "add up to at most 1" in errors) == (2, True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, errors = await refused("--listen", f"127.0.0.1:{port}")
        assert code == 2
        assert errors.startswith(f"banyan: --listen 127.0.0.1:{port}: ")
