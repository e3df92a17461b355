# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where one request ends and the next begins: every known way of having two servers disagree about it.

Each vector is followed by a second request on the same connection. What is refused gets one answer, the end of the
connection, and no backend hears of it; what is accepted reaches the backend in one plain framing.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.proxytest.backend import ScriptedBackend
from tests.proxytest.client import RawClient, connect, get
from tests.proxytest.edge import InProcessEdge, two_sides
from tests.proxytest.vectors import ACCEPTED, BROKEN_CHUNKS, REFUSED, post
from tests.proxytest.waiting import until

SMUGGLED = get("/smuggled")


async def refused(client: RawClient, edge: InProcessEdge) -> None:
    """One refusal, then the end, on both sides."""
    got = await client.answer()
    assert got.status in (400, 505), got.start
    assert got.value(b"connection") == b"close"
    assert set(json.loads(got.body)) == {"error", "message", "request_id"}
    assert await client.ended()
    client.writer.close()
    await until(lambda: not edge.edge.connections)


def untouched(*sides: ScriptedBackend) -> bool:
    """Whether no backend saw a whole request."""
    return not any(asked.message.complete for side in sides for asked in side.asked)


@pytest.mark.parametrize("name", REFUSED)
async def test_what_servers_read_differently_is_refused_and_reaches_nobody(tmp_path: Path, name: str) -> None:
    async with two_sides(tmp_path) as (edge, legacy, python):
        async with connect(edge.port) as client:
            await client.send(REFUSED[name] + SMUGGLED)
            await refused(client, edge)
        assert legacy.asked == python.asked == []


@pytest.mark.parametrize("name", BROKEN_CHUNKS)
async def test_chunks_that_break_on_the_way_are_never_completed_for_the_backend(
    tmp_path: Path, name: str
) -> None:
    async with two_sides(tmp_path) as (edge, legacy, python):
        async with connect(edge.port) as client:
            await client.send(post(b"Transfer-Encoding: chunked", body=b"2\r\nxy\r\n"))
            await until(lambda: legacy.connections == 1)
            await client.send(BROKEN_CHUNKS[name] + SMUGGLED)
            await refused(client, edge)
        assert untouched(legacy, python)
        assert edge.requests() == {("unmatched", "legacy"): 1}


@pytest.mark.parametrize("pieces", ["at once", "byte by byte"])
@pytest.mark.parametrize("name", ACCEPTED)
async def test_what_is_plain_reaches_the_backend_in_one_framing(
    tmp_path: Path, name: str, pieces: str
) -> None:
    line, body, whole = ACCEPTED[name]
    async with two_sides(tmp_path) as (edge, legacy, _):
        async with connect(edge.port) as client:
            data = post(line, body=body) + get("/second")
            for piece in [data] if pieces == "at once" else [data[at : at + 1] for at in range(len(data))]:
                await client.send(piece)
            assert (await client.answer()).body == b"legacy"
            assert (await client.answer()).body == b"legacy"
        first, second = legacy.asked
        assert (first.target, first.message.body, second.target) == (b"/first", whole, b"/second")
        assert len(first.header(b"content-length") + first.header(b"transfer-encoding")) == 1
        assert first.header(b"transfer-encoding") == ([b"chunked"] if b"chunk" in line.lower() else [])
        assert first.header(b"trailer") == first.header(b"a") == []
        assert second.message.body == b""


async def test_a_name_that_rack_reads_as_framing_goes_no_further(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        async with connect(edge.port) as client:
            names = (b"Transfer_Encoding: chunked", b"Content_Length: 3", b"transfer_encoding: x")
            await client.ask(post(b"Content-Length: 5", *names, body=b"abcde"))
        assert [line.partition(b":")[0] for line in legacy.asked[0].message.lines if b"_" in line] == []
        assert legacy.asked[0].message.body == b"abcde"


async def test_a_refusal_after_good_requests_comes_behind_their_answers(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        async with connect(edge.port) as client:
            bad = post(b"Content-Length: 1", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n")
            await client.send(get("/1") + get("/2") + bad + SMUGGLED)
            assert [(await client.answer()).status for _ in range(2)] == [200, 200]
            await refused(client, edge)
        assert [asked.target for asked in legacy.asked] == [b"/1", b"/2"]


async def test_one_empty_line_before_a_request_is_forgiven(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        async with connect(edge.port) as client:
            await client.send(b"\r\n" + post(b"Content-Length: 2", body=b"ab") + b"\r\n" + get("/second"))
            assert [(await client.answer()).status for _ in range(2)] == [200, 200]
        assert [asked.message.body for asked in legacy.asked] == [b"ab", b""]


@pytest.mark.parametrize("target", [b"a:443", b"/a", b"http://a/", b"*"])
async def test_connect_is_refused_by_name(tmp_path: Path, target: bytes) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        async with connect(edge.port) as client:
            await client.send(b"CONNECT " + target + b" HTTP/1.1\r\nHost: a:443\r\n\r\n" + SMUGGLED)
            assert (await client.answer()).status == 405
            assert await client.ended()
        assert legacy.asked == []
