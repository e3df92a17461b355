# SPDX-License-Identifier: AGPL-3.0-or-later
"""A side that fails is left alone, its users go to the other, and come back when it answers again."""

from __future__ import annotations

import asyncio
import json
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import Callable
from pathlib import Path

from tests.proxytest.backend import Asked, always, answer, backends
from tests.proxytest.client import connect, fetch, get
from tests.proxytest.edge import InProcessEdge, in_process_edge, routing, two_sides
from tests.proxytest.waiting import until

MOVED = "all: {percent: 100, routes: [GET /moved, POST /moved]}"
QUICK = "breaker: {failures: 3, window: 1m, rest: 300ms}"


async def hang_up(_asked: Asked, _reader: Reader, writer: Writer) -> None:
    writer.transport.abort()


def availability(edge: InProcessEdge) -> Callable[[], bool]:
    return lambda: edge.edge.generation.pools[1].available


def decided(edge: InProcessEdge, reason: str, side: str) -> int:
    return edge.edge.snapshot().counters.get(
        f'banyan_edge_decisions_total{{reason="{reason}",side="{side}"}}', 0
    )


def open_in_gauges(edge: InProcessEdge, backend: str = "python") -> float:
    return edge.edge.snapshot().gauges[f'banyan_edge_breaker_open{{backend="{backend}"}}']


async def test_failures_open_it_and_an_answer_closes_it(tmp_path: Path) -> None:
    async with two_sides(tmp_path, MOVED, backend=QUICK) as (edge, _, python):
        python.script = hang_up
        for _ in range(3):
            assert (await fetch(edge.port, get("/moved"))).status == 502
        assert open_in_gauges(edge) == 1
        asked = len(python.asked)
        for _ in range(5):
            assert (await fetch(edge.port, get("/moved"))).body == b"legacy"
        assert len(python.asked) == asked
        assert decided(edge, "unhealthy", "legacy") == 5
        # One request tries it again, and pays for it; the next ones do not.
        await until(availability(edge))
        assert (await fetch(edge.port, get("/moved"))).status == 502
        assert (await fetch(edge.port, get("/moved"))).body == b"legacy"
        python.script = None
        await until(availability(edge))
        assert (await fetch(edge.port, get("/moved"))).body == b"python"
        assert (await fetch(edge.port, get("/moved"))).body == b"python"
        assert open_in_gauges(edge) == 0
        assert edge.counted("banyan_edge_breaker_opened_total") == 1


async def test_only_one_request_at_a_time_tries_a_side_again(tmp_path: Path) -> None:
    async with two_sides(tmp_path, MOVED, backend=QUICK) as (edge, _, python):
        await python.stop()
        assert (await fetch(edge.port, get("/moved"))).body == b"legacy"
        assert decided(edge, "unhealthy", "legacy") == 1
        assert open_in_gauges(edge) == 1
        going_on = asyncio.Event()

        async def in_its_own_time(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            await going_on.wait()
            writer.write(answer(b"python"))

        python.script = in_its_own_time
        await python.start()
        await until(availability(edge))
        async with connect(edge.port) as first:
            await first.send(get("/moved"))
            await until(lambda: len(python.asked) == 1)
            for _ in range(3):
                assert (await fetch(edge.port, get("/moved"))).body == b"legacy"
            going_on.set()
            assert (await first.answer()).body == b"python"
        assert (await fetch(edge.port, get("/moved"))).body == b"python"


async def test_a_trial_whose_client_leaves_is_followed_by_another(tmp_path: Path) -> None:
    async with two_sides(tmp_path, MOVED, backend=QUICK) as (edge, _, python):
        await python.stop()
        await fetch(edge.port, get("/moved"))

        async def never(_asked: Asked, reader: Reader, _writer: Writer) -> None:
            await reader.read()

        python.script = never
        await python.start()
        await until(availability(edge))
        async with connect(edge.port) as client:
            await client.send(get("/moved"))
            await until(lambda: len(python.asked) == 1)
            assert not availability(edge)()
            client.vanish()
        python.script = None
        await until(availability(edge))
        assert (await fetch(edge.port, get("/moved"))).body == b"python"


async def test_a_first_byte_that_never_comes_is_a_failure_and_an_error_page_is_not(tmp_path: Path) -> None:
    quick = QUICK + ", timeouts: {first_byte: 100ms}"
    async with two_sides(tmp_path, MOVED, backend=quick) as (edge, _, python):
        python.script = always(answer(b"broken", b"500 Internal Server Error"))
        for _ in range(5):
            assert (await fetch(edge.port, get("/moved"))).status == 500
        assert availability(edge)()

        async def never(_asked: Asked, reader: Reader, _writer: Writer) -> None:
            await reader.read()

        python.script = never
        got = await asyncio.gather(*(fetch(edge.port, get("/moved")) for _ in range(3)))
        assert [one.status for one in got] == [504] * 3
        assert (await fetch(edge.port, get("/moved"))).body == b"legacy"


async def test_who_waits_in_line_for_a_side_that_fails_goes_to_the_other(tmp_path: Path) -> None:
    """Nothing of these requests has left the edge, not even of those that may not be repeated."""
    narrow = "breaker: {failures: 1, rest: 1m}, pool: {max_connections: 1, wait: 1m}"
    async with two_sides(tmp_path, MOVED, backend=narrow) as (edge, legacy, python):
        broken = asyncio.Event()

        async def hang_up_when_told(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            await broken.wait()
            writer.transport.abort()

        python.script = hang_up_when_told
        async with connect(edge.port) as first, connect(edge.port) as second, connect(edge.port) as third:
            await first.send(get("/moved"))
            await until(lambda: len(python.asked) == 1)
            await second.send(get("/moved"))
            await third.send(
                b"POST /moved HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc"
            )
            await until(lambda: edge.edge.generation.pools[1].sizes()[2] == 2)
            broken.set()
            assert (await first.answer()).status == 502
            assert (await second.answer()).body == b"legacy"
            assert (await third.answer()).body == b"legacy"
        assert [asked.message.body for asked in legacy.asked] == [b"", b"abc"]
        assert decided(edge, "unhealthy", "legacy") == 2


async def test_the_old_side_is_tried_whatever_its_circuit_says(tmp_path: Path) -> None:
    """There is no rule that would send its users to the new side."""
    async with two_sides(tmp_path, MOVED, backend=QUICK) as (edge, legacy, python):
        legacy.script = hang_up
        for _ in range(6):
            assert (await fetch(edge.port, get("/"))).status == 502
        assert open_in_gauges(edge, "legacy") == 1
        assert len(legacy.asked) == 6
        legacy.script = None
        assert (await fetch(edge.port, get("/"))).body == b"legacy"
        assert python.asked == []


async def test_of_two_addresses_the_one_that_fails_is_spared(tmp_path: Path) -> None:
    async with backends("legacy", "good", "bad") as (legacy, good, bad):
        text = routing(legacy.url, good.url, MOVED, backend="breaker: {failures: 3, rest: 1m}")
        text = text.replace(f"'{good.url}'", f"'{good.url}', '{bad.url}'")
        async with in_process_edge(text, tmp_path) as edge:
            bad.script = hang_up
            good.script = always(answer(b"good", headers=b"Connection: close\r\n"))
            got = [await fetch(edge.port, get("/moved")) for _ in range(6)]
            assert sorted(one.status for one in got) == [200] * 3 + [502] * 3
            got = [await fetch(edge.port, get("/moved")) for _ in range(10)]
            assert [one.body for one in got] == [b"good"] * 10
            assert availability(edge)()
            assert open_in_gauges(edge) == 0


async def test_an_address_that_is_down_does_not_make_up_for_one_whose_circuit_is_open(tmp_path: Path) -> None:
    async with backends("legacy", "one", "two") as (legacy, one, two):
        text = routing(legacy.url, one.url, MOVED, backend="breaker: {failures: 1, rest: 1m}")
        text = text.replace(f"'{one.url}'", f"'{one.url}', '{two.url}'")
        async with in_process_edge(text, tmp_path) as edge:
            edge.edge.set_health({"python": [True, False]})
            assert open_in_gauges(edge) == 0
            one.script = hang_up
            assert (await fetch(edge.port, get("/moved"))).status == 502
            assert open_in_gauges(edge) == 1
            assert not availability(edge)()
            edge.edge.set_health({"python": [True, True]})
            assert open_in_gauges(edge) == 0
            assert availability(edge)()


async def test_what_the_log_says_of_a_request_that_was_diverted(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    async with two_sides(tmp_path, MOVED, backend=QUICK, log=log) as (edge, _, python):
        await python.stop()
        await fetch(edge.port, get("/moved"))
    (line,) = [json.loads(line) for line in log.read_text().splitlines()]
    assert (line["side"], line["reason"], line["status"]) == ("legacy", "unhealthy", 200)
