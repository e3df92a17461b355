# SPDX-License-Identifier: AGPL-3.0-or-later
"""How much and how slowly one client may ask, and who it is when a load balancer passes it on."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import pytest

from tests.proxytest.client import connect, fetch, get
from tests.proxytest.edge import InProcessEdge, two_sides
from tests.proxytest.waiting import until

BOTH_LOOPS = True

PEERS = "limits: {connections_per_peer: 2, linger: 200ms}"
PROXIED = "proxy_protocol: true\ntrusted_proxies: [127.0.0.0/8]"


def refused(edge: InProcessEdge, code: str) -> int:
    return edge.edge.snapshot().counters.get(f'banyan_edge_refused_total{{code="{code}"}}', 0)


def proxied(address: str) -> bytes:
    return f"PROXY TCP4 {address} 192.0.2.1 1234 80\r\n".encode()


async def test_one_address_may_have_so_many_connections_and_no_more(tmp_path: Path) -> None:
    async with two_sides(tmp_path, more=PEERS) as (edge, legacy, _):
        async with connect(edge.port) as first, connect(edge.port) as second:
            for client in (first, second):
                assert (await client.ask(get("/"))).body == b"legacy"
            async with connect(edge.port) as third:
                got = await third.answer()
                assert (got.status, json.loads(got.body)["error"]) == (429, "too_many_connections")
                assert (got.value(b"connection"), got.value(b"retry-after")) == (b"close", b"1")
                assert await third.ended()
            assert (await first.ask(get("/"))).body == b"legacy"
        assert refused(edge, "too-many-connections") == 1
        assert len(legacy.asked) == 3
        await until(lambda: not edge.edge.connections)
        assert not edge.edge._peers
        assert (await fetch(edge.port, get("/"))).body == b"legacy"


async def test_trusted_proxies_may_have_any_number(tmp_path: Path) -> None:
    more = PEERS + "\ntrusted_proxies: [127.0.0.1]"
    async with two_sides(tmp_path, more=more) as (edge, _, _), contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(edge.port)) for _ in range(10)]
        assert [(await client.ask(get("/"))).status for client in clients] == [200] * 10


async def test_whom_a_balancer_names_is_who_counts(tmp_path: Path) -> None:
    async with two_sides(tmp_path, more=f"{PEERS}\n{PROXIED}") as (edge, legacy, _):
        async with contextlib.AsyncExitStack() as stack:
            seen = []
            for address in ("203.0.113.7", "203.0.113.7", "203.0.113.7", "203.0.113.8"):
                client = await stack.enter_async_context(connect(edge.port))
                seen.append((await client.ask(proxied(address) + get("/"))).status)
            assert seen == [200, 200, 429, 200]
        assert legacy.asked[0].header(b"x-forwarded-for") == [b"203.0.113.7"]
        assert legacy.asked[0].header(b"forwarded") == [b"for=203.0.113.7;host=loomio.test;proto=http"]


async def test_a_header_in_pieces_and_what_its_client_says_of_itself_is_not_believed(tmp_path: Path) -> None:
    async with two_sides(tmp_path, more=PROXIED) as (edge, legacy, _):
        async with connect(edge.port) as client:
            for byte in proxied("203.0.113.7") + get("/", "X-Forwarded-For: 10.0.0.1"):
                await client.send(bytes([byte]))
            assert (await client.answer()).body == b"legacy"
            assert (await client.ask(get("/again"))).body == b"legacy"
        assert [asked.header(b"x-forwarded-for") for asked in legacy.asked] == [[b"203.0.113.7"]] * 2


async def test_a_client_that_the_balancer_served_by_tls(tmp_path: Path) -> None:
    header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x14\xcb\x00\x71\x07\xc0\x00\x02\x01\x04\xd2\x00\x50"
    header += b"\x20\x00\x05\x01\x00\x00\x00\x00"
    async with two_sides(tmp_path, more=PROXIED) as (edge, legacy, _):
        await fetch(edge.port, header + get("/"))
        assert legacy.asked[0].header(b"x-forwarded-proto") == [b"https"]
        assert legacy.asked[0].header(b"x-forwarded-for") == [b"203.0.113.7"]


@pytest.mark.parametrize("start", [get("/"), b"PROXY TCP4 nonsense\r\n" + get("/"), b"\x16\x03\x01\x02\x00"])
async def test_a_trusted_peer_that_does_not_introduce_its_client_is_cut_off(
    tmp_path: Path, start: bytes
) -> None:
    async with two_sides(tmp_path, more=PROXIED) as (edge, legacy, _):
        async with connect(edge.port) as client:
            await client.send(start)
            assert await client.ended()
        assert refused(edge, "proxy-protocol") == 1
        assert legacy.asked == []


async def test_nobody_else_may_name_a_client(tmp_path: Path) -> None:
    more = "proxy_protocol: true\ntrusted_proxies: [192.0.2.1]"
    async with two_sides(tmp_path, more=more) as (edge, legacy, _):
        assert (await fetch(edge.port, get("/"))).body == b"legacy"
        assert legacy.asked[0].header(b"x-forwarded-for") == [b"127.0.0.1"]
        assert (await fetch(edge.port, proxied("203.0.113.7") + get("/"))).status == 400
        assert len(legacy.asked) == 1


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n", 408, "request_timeout"),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "target-too-long"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431, "too-many-headers"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", 431, "head-too-large"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n", 413, "body_too_large"),
        (b"nonsense\r\n\r\n", 400, "request-line"),
    ],
)
async def test_too_slow_too_long_too_many_and_then_the_end(
    tmp_path: Path, sent: bytes, status: int, code: str
) -> None:
    more = "limits: {head_time: 200ms, linger: 200ms, body: 1KB}"
    async with two_sides(tmp_path, more=more) as (edge, legacy, _):
        async with connect(edge.port) as client:
            await client.send(sent)
            got = await client.answer()
            assert (got.status, json.loads(got.body)["error"]) == (status, code)
            assert got.value(b"connection") == b"close"
            assert await client.ended()
        assert legacy.asked == []
        await until(lambda: not edge.edge.connections)


@pytest.mark.parametrize("silent_after", [b"", get("/")])
async def test_who_says_nothing_is_let_go_without_a_word(tmp_path: Path, silent_after: bytes) -> None:
    more = "limits: {head_time: 200ms, idle: 200ms}"
    async with two_sides(tmp_path, more=more) as (edge, _, _), connect(edge.port) as client:
        if silent_after:
            assert (await client.ask(silent_after)).body == b"legacy"
        assert await client.ended()


async def test_who_goes_on_sending_after_a_refusal_is_cut_off(tmp_path: Path) -> None:
    async with two_sides(tmp_path, more="limits: {linger: 200ms}") as (edge, _, _):
        async with connect(edge.port) as client:
            assert (await client.ask(b"nonsense\r\n\r\n")).status == 400

            async def go_on() -> None:
                with contextlib.suppress(ConnectionError):
                    while True:
                        await client.send(b"x")
                        await asyncio.sleep(0.01)

            await asyncio.wait_for(go_on(), 5)
        await until(lambda: not edge.edge.connections)
