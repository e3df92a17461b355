# SPDX-License-Identifier: AGPL-3.0-or-later
"""What passes through a worker does not stay in it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from loadtests.bench.processes import children, command_of, rss_bytes
from tests.proxytest.backend import Asked, ScriptedBackend
from tests.proxytest.client import connect, get
from tests.proxytest.edge import edge_process, routing


async def test_a_slow_reader_of_much_costs_little_memory(tmp_path: Path) -> None:
    size = 100_000_000
    backend = ScriptedBackend("legacy")

    async def pour(_asked: Asked, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 1_000_000):
            writer.write(bytes(1_000_000))
            await writer.drain()

    backend.script = pour
    await backend.start()
    config = tmp_path / "routing.yaml"
    config.write_text(routing(backend.url, backend.url))
    try:
        async with edge_process(config, "--access-log", "off") as edge, connect(edge.port) as client:
            (worker,) = [pid for pid in children(edge.process.pid) if "proxy.app.worker" in command_of(pid)]
            await client.send(get("/"))
            await client.reader.readuntil(b"\r\n\r\n")
            before = rss_bytes([worker])
            most = read = 0
            while read < size:
                read += len(await client.reader.read(500_000))
                most = max(most, rss_bytes([worker]))
                await asyncio.sleep(0.01)
            assert read == size
            assert most - before < 20_000_000
    finally:
        await backend.stop()
