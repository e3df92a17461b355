# SPDX-License-Identifier: AGPL-3.0-or-later
"""Many connections at once: idle ones take little memory, slow ones nobody's turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.bench.processes import children, command_of, rss_bytes
from proxy import compiled
from proxy.app.descriptors import raise_limit
from tests.proxytest.backend import backends
from tests.proxytest.client import RawClient, fetch, get
from tests.proxytest.edge import edge_process, routing

MANY = 1_000
TWO_KILOBYTES = 2_048 * 1.1  # the kernel gives memory by the page, and the allocator in larger pieces still
FORMS = {"python": "1"} | ({"compiled": ""} if compiled.fits() else {})


@pytest.fixture(autouse=True)
def _descriptors() -> None:
    """A socket each on this side too."""
    raise_limit()


@pytest.mark.parametrize("pure", FORMS.values(), ids=FORMS)
async def test_an_idle_connection_takes_two_kilobytes(tmp_path: Path, pure: str) -> None:
    config = tmp_path / "routing.yaml"
    async with backends("legacy") as (legacy,):
        config.write_text(routing(legacy.url, legacy.url, more="limits: {idle: 10m}"))
        async with edge_process(config, "--access-log", "off", environ={"BANYAN_PURE": pure}) as edge:
            (worker,) = [pid for pid in children(edge.process.pid) if "proxy.app.worker" in command_of(pid)]
            idle: list[RawClient] = []

            async def grown() -> int:
                """What so many more connections add, each of which was used once."""
                before = rss_bytes([worker])
                for _ in range(MANY):
                    client = await RawClient.open(edge.port)
                    assert (await client.ask(get("/"))).body == b"legacy"
                    idle.append(client)
                return rss_bytes([worker]) - before

            await grown()  # with what a process takes once, for its first ones
            assert await grown() < MANY * TWO_KILOBYTES
            assert (await idle[0].ask(get("/"))).body == b"legacy", "all of them are still there"
            for client in idle:
                client.writer.close()


async def test_a_thousand_slow_heads_hold_up_nobody(tmp_path: Path) -> None:
    config = tmp_path / "routing.yaml"
    async with backends("legacy") as (legacy,):
        config.write_text(routing(legacy.url, legacy.url, more="limits: {head_time: 10m}"))
        async with edge_process(config, "--access-log", "off") as edge:
            slow = [await RawClient.open(edge.port) for _ in range(MANY)]
            head = get("/slow", host="a")
            for number, byte in enumerate(head[:-1]):
                for client in slow:
                    client.writer.write(bytes([byte]))
                assert (await fetch(edge.port, get(f"/fast/{number}"))).body == b"legacy"
            assert {asked.target for asked in legacy.asked} == {
                b"/fast/%d" % number for number in range(len(head) - 1)
            }
            for client in slow:
                assert (await client.ask(head[-1:])).body == b"legacy"
                client.writer.close()
