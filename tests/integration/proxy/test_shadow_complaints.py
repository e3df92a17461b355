# SPDX-License-Identifier: AGPL-3.0-or-later
"""What users of other mirrors complain about does not happen here. Each test names the complaint."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from tests.proxytest.backend import Asked, always, answer, backends
from tests.proxytest.client import connect, fetch, get
from tests.proxytest.edge import routing
from tests.proxytest.shadow import PLENTY, shadowing_edge
from tests.proxytest.waiting import until

JSON = b"Content-Type: application/json\r\n"
_GROUP = "things: {percent: 0, shadow: 100, routes: [GET /things]}"


async def hang(_asked: Asked, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await reader.read()


async def test_skipper_3340_skipper_1816_apisix_6536_a_hung_mirror_does_not_slow_the_call(
    tmp_path: Path,
) -> None:
    async with backends("legacy", "python") as (legacy, python):
        python.script = hang
        more = "shadowing: {timeout: 10m, noise: 0/s}"  # it hangs for longer than this test may take
        async with shadowing_edge(tmp_path, legacy.url, python.url, _GROUP, more=more) as edge:
            async with connect(edge.port) as client:
                for _ in range(200):
                    assert (await client.ask(get("/things"))).body == b"legacy"
            await edge.until_counted(64, "banyan_edge_shadow_asked_total")
            assert len(python.asked) <= 64  # the budget, and no more


async def test_traefik_6125_a_hung_mirror_does_not_fill_the_memory(tmp_path: Path) -> None:
    body = b"[" + b"1," * 20_000 + b"1]"
    bound = 256 * 1024
    async with backends("legacy", "python") as (legacy, python):
        legacy.script = always(answer(body, headers=JSON))
        python.script = hang
        more = "shadowing: {timeout: 10m, queue: 256KB, noise: 0/s}"
        async with shadowing_edge(tmp_path, legacy.url, python.url, _GROUP, more=more) as edge:
            async with connect(edge.port) as client:
                for _ in range(100):
                    assert (await client.ask(get("/things"))).body == body
            await edge.until_counted(80, "banyan_edge_shadow_dropped_total", 'reason="overflow"')
            assert await edge.counted("banyan_edge_shadow_queue_bytes", 'place="mirror"') <= bound
            found = await edge.until_compared(80)  # workers say so once a second
            assert found["not_comparable overflow"] >= 80


async def test_istio_32394_envoy_21684_large_answers_are_compared_too(tmp_path: Path) -> None:
    body = b"[" + b",".join(b"%d" % n for n in range(400_000)) + b"]"
    assert len(body) > 2_500_000
    async with backends("legacy", "python") as (legacy, python):
        legacy.script = python.script = always(answer(body, headers=JSON))
        async with shadowing_edge(tmp_path, legacy.url, python.url, _GROUP) as edge:
            assert (await fetch(edge.port, get("/things"))).body == body
            assert await edge.until_compared(1) == {"match": 1}


async def test_traefik_8045_beyond_the_cap_users_are_served_and_the_loss_is_counted(tmp_path: Path) -> None:
    body = b"x" * 3_000_000
    async with backends("legacy", "python") as (legacy, python):
        legacy.script = always(answer(body))
        more = "shadowing: {body: 1MB, noise: 0/s}"
        async with shadowing_edge(tmp_path, legacy.url, python.url, _GROUP, more=more) as edge:
            assert (await fetch(edge.port, get("/things"))).body == body
            assert await edge.until_compared(1) == {"not_comparable too_large": 1}
            assert python.asked == []


async def test_envoy_9094_the_mirror_is_asked_with_the_same_host(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        async with shadowing_edge(tmp_path, legacy.url, python.url, _GROUP) as edge:
            await fetch(edge.port, get("/things?a=%2F", "Cookie: a=b", host="loomio.test:8080"))
            await edge.until_compared(1)
        (asked,) = python.asked
        assert asked.header(b"host") == [b"loomio.test:8080"]
        assert asked.target == b"/things?a=%2F"
        assert asked.header(b"cookie") == [b"a=b"]
        assert asked.header(b"x-request-id") == legacy.asked[0].header(b"x-request-id")
        assert len(asked.header(b"x-banyan-shadow")) == 1
        assert legacy.asked[0].header(b"x-banyan-shadow") == []


async def test_istio_31000_mirroring_ends_when_it_is_taken_out(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        python.script = hang
        narrow = "shadow: {rate: 1000/s, concurrency: 1}"
        more = "shadowing: {timeout: 10m, noise: 0/s}"
        async with shadowing_edge(
            tmp_path, legacy.url, python.url, _GROUP, backend=narrow, more=more
        ) as edge:
            async with connect(edge.port) as client:
                for _ in range(20):
                    await client.ask(get("/things"))
                await until(lambda: len(python.asked) == 1)
                without = _GROUP.replace("shadow: 100", "shadow: 0")
                await edge.reload(routing(legacy.url, python.url, without, more, backend=PLENTY))
                for _ in range(20):
                    await client.ask(get("/things"))
            await edge.until_counted(19, "banyan_edge_shadow_dropped_total", 'reason="removed"')
            assert await edge.counted("banyan_edge_shadow_lifted_total") == 20
            assert len(python.asked) == 1


async def test_a_killed_comparing_process_takes_no_user_along_and_is_replaced(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        running = shadowing_edge(tmp_path, legacy.url, python.url, _GROUP)
        async with running as edge, connect(edge.port) as client:
            await client.ask(get("/things"))
            await edge.until_compared(1)
            first = await edge.mirror_pid()
            os.kill(first, signal.SIGKILL)
            for _ in range(200):
                assert (await client.ask(get("/things"))).body == b"legacy"
            await edge.until_counted(1, "banyan_edge_shadow_restarts_total")
            async with asyncio.timeout(20):
                while not (await edge.comparisons()).get("comparisons"):
                    await client.ask(get("/things"))
                    await asyncio.sleep(0.05)
            assert await edge.mirror_pid() != first


async def test_a_stopped_comparing_process_and_a_full_socket_hold_nobody_up(tmp_path: Path) -> None:
    body = b"y" * 100_000
    async with backends("legacy", "python") as (legacy, python):
        legacy.script = python.script = always(answer(body))
        more = "shadowing: {queue: 1MB, noise: 0/s}"
        async with shadowing_edge(tmp_path, legacy.url, python.url, _GROUP, more=more) as edge:
            async with connect(edge.port) as client:
                await client.ask(get("/things"))
                await edge.until_compared(1)
                pid = await edge.mirror_pid()
                os.kill(pid, signal.SIGSTOP)
                try:
                    for _ in range(100):  # 10 MB: more than the queue and the kernel hold
                        assert (await client.ask(get("/things"))).body == body
                    assert await edge.counted("banyan_edge_shadow_dropped_total", 'reason="overflow"') >= 40
                    assert (
                        await edge.counted("banyan_edge_shadow_queue_bytes", 'place="worker"') <= 1024 * 1024
                    )
                finally:
                    os.kill(pid, signal.SIGCONT)
            await edge.until_compared(101)  # what was dropped is an outcome too
