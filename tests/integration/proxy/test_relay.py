# SPDX-License-Identifier: AGPL-3.0-or-later
"""The data plane between real sockets: what goes through, unchanged, and what an accident on either side does."""

from __future__ import annotations

import asyncio
import json
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from pathlib import Path

import pytest

from tests.proxytest.backend import Asked, ScriptedBackend, always, answer
from tests.proxytest.client import Message, RawClient, connect, fetch, get
from tests.proxytest.edge import InProcessEdge, routing, two_sides
from tests.proxytest.waiting import until

MOVED = "all: {percent: 100, routes: [GET /moved, POST /moved, GET /moved/*rest]}"


def names(message: Message) -> list[bytes]:
    return [line.partition(b":")[0].lower() for line in message.lines]


async def test_a_request_arrives_as_it_was_sent_and_so_does_the_answer(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.script = always(
            b"HTTP/1.1 200 Fine,  thanks\r\nX-a:  1 \r\nSet-Cookie: a=1\r\nx-A: 2\r\nset-cookie: b=2\r\n"
            b'content-length: 5\r\nETag: W/"x"\r\n\r\nhello'
        )
        got = await fetch(
            edge.port, get("/a//b/%2F;x?q=%20&r", "X-One:  1", "x-two: \xe9", "Accept-Encoding: gzip")
        )
        assert got.start == b"HTTP/1.1 200 Fine,  thanks"
        assert got.lines == [
            b"X-a:  1 ",
            b"Set-Cookie: a=1",
            b"x-A: 2",
            b"set-cookie: b=2",
            b"content-length: 5",
            b'ETag: W/"x"',
        ]
        assert got.body == b"hello"
        sent = legacy.asked[0].message
        assert sent.start == b"GET /a//b/%2F;x?q=%20&r HTTP/1.1"
        assert sent.lines[:4] == [
            b"Host: loomio.test",
            b"X-One:  1",
            "x-two: é".encode(),
            b"Accept-Encoding: gzip",
        ]
        assert names(sent)[4:] == [
            b"x-forwarded-for",
            b"x-forwarded-proto",
            b"x-forwarded-host",
            b"forwarded",
            b"x-request-id",
        ]


async def test_routes_go_to_their_side_and_everything_else_to_legacy(tmp_path: Path) -> None:
    async with two_sides(tmp_path, MOVED) as (edge, _, _):
        assert (await fetch(edge.port, get("/moved"))).body == b"python"
        assert (await fetch(edge.port, get("/moved/deep/er?x"))).body == b"python"
        assert (await fetch(edge.port, get("/other"))).body == b"legacy"
        assert (await fetch(edge.port, get("/moved", method="DELETE"))).body == b"legacy"
        assert edge.requests() == {
            ("GET /moved", "python"): 1,
            ("GET /moved/*rest", "python"): 1,
            ("unmatched", "legacy"): 2,
        }


async def test_connections_are_kept_on_both_legs_and_pipelined_requests_answered_in_order(
    tmp_path: Path,
) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):

        async def echo(asked: Asked, _reader: Reader, writer: Writer) -> None:
            writer.write(answer(asked.target))

        legacy.script = echo
        async with connect(edge.port) as client:
            await client.send(b"".join(get(f"/{n}") for n in range(200)))
            assert [(await client.answer()).body for _ in range(200)] == [b"/%d" % n for n in range(200)]
        assert legacy.connections == 1


@pytest.mark.parametrize("size", [0, 1, 1000, 3_000_000])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_bodies_come_whole_in_every_framing(tmp_path: Path, framing: str, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    async with two_sides(tmp_path) as (edge, legacy, _):

        async def script(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            if framing == "length":
                writer.write(answer(body))
            elif framing == "chunked":
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for at in range(0, size, 70_000):
                    piece = body[at : at + 70_000]
                    writer.write(b"%X;ext\r\n%b\r\n" % (len(piece), piece))
                writer.write(b"0\r\nTrailer: x\r\n\r\n")
            else:
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + body)
                await writer.drain()
                writer.close()

        legacy.script = script
        async with connect(edge.port) as client:
            for _ in range(2):
                got = await client.ask(get("/"))
                assert got.complete
                assert got.body == body
        head_only = await fetch(edge.port, get("/", method="HEAD")) if framing == "length" else None
        if head_only is not None:
            assert head_only.value(b"content-length") == b"%d" % size


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_uploads_arrive_whole(tmp_path: Path, chunked: bool, size: int) -> None:
    body = b"u" * size
    async with two_sides(tmp_path) as (edge, legacy, _):
        async with connect(edge.port) as client:
            if chunked:
                await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                for at in range(0, size, 50_000):
                    await client.send(b"%x\r\n%b\r\n" % (len(body[at : at + 50_000]), body[at : at + 50_000]))
                await client.send(b"0\r\n\r\n")
            else:
                await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + body)
            assert (await client.answer()).body == b"legacy"
            assert (await client.ask(get("/again"))).body == b"legacy"
        assert legacy.asked[0].message.body == body
        assert (b"transfer-encoding" in names(legacy.asked[0].message)) is chunked


async def test_http_1_0_is_answered_and_closed(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.script = always(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        async with connect(edge.port) as client:
            got = await client.ask(b"GET / HTTP/1.0\r\n\r\n")
            assert got.body == b"abc"
            assert got.value(b"connection") == b"close"
            assert got.value(b"transfer-encoding") is None
        assert legacy.asked[0].message.start == b"GET / HTTP/1.1"
        assert legacy.asked[0].header(b"host") == [legacy.url.removeprefix("http://").encode()]


async def test_interim_answers_go_through_and_the_backend_decides_on_expectations(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.read_bodies = False

        async def script(_asked: Asked, reader: Reader, writer: Writer) -> None:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await reader.readexactly(3)
            writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(body))

        legacy.script = script
        async with connect(edge.port) as client:
            ask = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
            assert (await client.ask(ask)).status == 100
            await client.send(b"abc")
            assert (await client.answer()).status == 103
            assert (await client.answer()).body == b"abc"


async def test_server_sent_events_flow_at_once(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        step = asyncio.Event()

        async def script(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            for n in range(3):
                writer.write(b"9\r\ndata: %d\n\n\r\n" % n)
                await step.wait()
                step.clear()
            writer.write(b"0\r\n\r\n")

        legacy.script = script
        async with connect(edge.port) as client, asyncio.timeout(5):
            await client.send(get("/"))
            await client.reader.readuntil(b"\r\n\r\n")
            for n in range(3):
                assert await client.reader.readuntil(b"\n\n\r\n") == b"9\r\ndata: %d\n\n\r\n" % n
                step.set()
            assert await client.reader.readexactly(5) == b"0\r\n\r\n"


async def test_a_half_closing_client_gets_its_answer(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):

        async def slowly(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            await asyncio.sleep(0.1)
            writer.write(answer(b"late"))

        legacy.script = slowly
        async with connect(edge.port) as client:
            await client.send(get("/"))
            client.writer.write_eof()
            got = await client.answer()
            assert (got.body, got.value(b"connection")) == (b"late", b"close")
            assert await client.ended()


@pytest.mark.parametrize(
    "bad",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx",
        b"garbage\r\n\r\n",
    ],
)
async def test_malformed_requests_get_400_and_an_end_and_reach_nobody(tmp_path: Path, bad: bytes) -> None:
    async with two_sides(tmp_path) as (edge, legacy, python):
        async with connect(edge.port) as client:
            await client.send(bad + get("/smuggled"))
            got = await client.answer()
            assert got.status == 400
            assert got.value(b"connection") == b"close"
            assert set(json.loads(got.body)) == {"error", "message", "request_id"}
            assert await client.ended()
        assert legacy.asked == python.asked == []
        assert edge.counted("banyan_edge_refused_total") == 1


async def test_a_malformed_chunk_ends_the_request_and_the_backend_connection(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        async with connect(edge.port) as client:
            await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX")
            assert (await client.answer()).status == 400
            assert await client.ended()
        assert legacy.asked == []
        assert (await fetch(edge.port, get("/"))).body == b"legacy"


async def test_a_body_over_the_limit_is_refused(tmp_path: Path) -> None:
    more = "limits: {body: 10KB}"
    async with two_sides(tmp_path, more=more) as (edge, legacy, _):
        big = b"x" * 20_000
        async with connect(edge.port) as client:
            await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" + big)
            assert (await client.answer()).status == 413
        async with connect(edge.port) as client:
            await client.send(
                b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4e20\r\n" + big
            )
            assert (await client.answer()).status == 413
            assert await client.ended()
        assert legacy.asked == []


async def test_a_refused_connection_is_502_and_a_new_side_that_refuses_leaves_it_to_legacy(
    tmp_path: Path,
) -> None:
    async with two_sides(tmp_path, MOVED) as (edge, legacy, python):
        await python.stop()
        post = b"POST /moved HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\nabc"
        assert (await fetch(edge.port, post)).body == b"legacy"
        assert legacy.asked[0].message.body == b"abc"
        assert (await fetch(edge.port, get("/moved"))).body == b"legacy"
        await legacy.stop()
        got = await fetch(edge.port, get("/moved"))
        assert got.status == 502
        assert json.loads(got.body)["error"] == "backend_unreachable"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"", 502, "backend_reset"),
        (b"HTTP/1.1 200 OK\r\nContent-", 502, "backend_reset"),
        (b"garbage\r\n\r\n", 502, "backend_malformed"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            502,
            "backend_malformed",
        ),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 502, "backend_malformed"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 30, 502, "backend_malformed"),
    ],
)
async def test_a_backend_that_breaks_off_or_babbles(
    tmp_path: Path, sent: bytes, status: int, code: str
) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):

        async def script(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            writer.write(sent)
            await writer.drain()
            writer.close()

        legacy.script = script
        async with connect(edge.port) as client:
            await client.send(get("/"))
            got = await client.answer()
            while got.status == 100:
                got = await client.answer()
            assert (got.status, json.loads(got.body)["error"]) == (status, code)


@pytest.mark.parametrize("framing", [b"Content-Length: 10", b"Transfer-Encoding: chunked"])
async def test_an_answer_that_breaks_off_is_never_ended_cleanly(tmp_path: Path, framing: bytes) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):

        async def script(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            writer.write(
                b"HTTP/1.1 200 OK\r\n"
                + framing
                + b"\r\n\r\n5\r\nabcde\r\n"[: 11 if b"chunk" in framing else 7]
            )
            await writer.drain()
            writer.transport.abort()

        legacy.script = script
        async with connect(edge.port) as client:
            await client.send(get("/"))
            try:
                got = await client.answer()
            except ConnectionError:
                whole = False
            else:
                whole = got.complete
            assert not whole
        await until(lambda: edge.counted("banyan_edge_failures_total") == 1)


async def test_a_stale_connection_costs_a_repeatable_request_nothing_and_others_are_never_repeated(
    tmp_path: Path,
) -> None:
    async with two_sides(tmp_path, MOVED) as (edge, _, python):

        async def hang_up_on_the_second(asked: Asked, _reader: Reader, writer: Writer) -> None:
            if sum(one.connection == asked.connection for one in python.asked) == 1:
                writer.write(answer(b"first"))
            else:
                writer.close()

        python.script = hang_up_on_the_second
        async with connect(edge.port) as client:
            assert (await client.ask(get("/moved"))).body == b"first"
            assert (await client.ask(get("/moved"))).body == b"first"
            assert python.connections == 2
            assert edge.counted("banyan_edge_retries_total") == 1
            post = b"POST /moved HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"
            assert (await client.ask(post)).status == 502
            assert len(python.asked) == 4


async def test_an_early_answer_reaches_a_client_that_is_still_sending(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.read_bodies = False
        legacy.script = always(answer(b"too much", b"413 Content Too Large"))
        async with connect(edge.port) as client:
            await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 1000)
            got = await client.answer()
            assert (got.status, got.body, got.value(b"connection")) == (413, b"too much", b"close")
            await client.send(b"x" * 1000)
            assert await client.ended()


async def test_a_client_that_leaves_lets_the_backend_go(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        gone = asyncio.Event()

        async def endless(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                while True:
                    writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.005)
            except ConnectionError:
                gone.set()

        legacy.script = endless
        async with connect(edge.port) as client:
            await client.send(get("/"))
            await client.reader.readexactly(1000)
            client.writer.transport.abort()
        async with asyncio.timeout(5):
            await gone.wait()
        assert edge.counted("banyan_edge_failures_total") == 1


async def test_a_reader_that_stops_holds_the_backend_back(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        written = 0

        async def flood(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            nonlocal written
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            for _ in range(1000):
                writer.write(b"x" * 100_000)
                await writer.drain()
                written += 100_000

        legacy.script = flood
        async with connect(edge.port) as client:
            await client.send(get("/"))
            await until(lambda: written > 0)
            seen = -1
            while seen != written:  # until the backend makes no more progress
                seen = written
                await asyncio.sleep(0.2)
            assert written < 50_000_000
            got = await client.answer()
            assert len(got.body) == 100_000_000


async def _upgrade(client: RawClient, target: str = "/cable") -> Message:
    await client.send(
        get(
            target,
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
    )
    return await client.answer()


SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


async def _echo_websocket(_asked: Asked, reader: Reader, writer: Writer) -> None:
    writer.write(SWITCH + b"hello")
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def test_a_websocket_is_a_tunnel_that_survives_reloads(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, python):
        legacy.script = _echo_websocket
        async with connect(edge.port) as client, asyncio.timeout(10):
            assert (await _upgrade(client)).status == 101
            assert await client.reader.readexactly(5) == b"hello"
            big = bytes(range(256)) * 4000
            for round_ in range(3):
                edge.install(_two(legacy, python, percent=round_))
                client.writer.write(big)
                assert await client.reader.readexactly(len(big)) == big
            assert len(edge.edge.tunnels) == 1
        await until(lambda: len(edge.edge.tunnels) == 0)


def _two(legacy: ScriptedBackend, python: ScriptedBackend, percent: float) -> str:
    return routing(legacy.url, python.url, f"a: {{percent: {percent}, routes: [GET /a]}}")


async def test_a_refused_upgrade_is_an_ordinary_answer(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        async with connect(edge.port) as client:
            assert (await _upgrade(client)).body == b"legacy"
            assert (await client.ask(get("/"))).body == b"legacy"
        wrong = SWITCH.replace(b"s3pP", b"AAAA")
        legacy.script = always(wrong)
        async with connect(edge.port) as client:
            assert (await _upgrade(client)).status == 502


async def test_the_access_log_names_routes_and_never_addresses(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    async with two_sides(tmp_path, MOVED, log=log) as (edge, _, _):
        await fetch(edge.port, get("/moved?token=secret", "Cookie: x=secret", "X-Request-Id: mine-1"))
        await fetch(edge.port, get("/invitations/secret"))
        await fetch(edge.port, b"GET /secret HTTP/1.1\r\n\r\n")
    *lines, refused = [json.loads(line) for line in log.read_text().splitlines()]
    assert (refused["reason"], refused["failure"], refused["status"]) == ("refused", "host", 400)
    assert [(line["route"], line["side"], line["group"], line["status"]) for line in lines] == [
        ("GET /moved", "python", "all", 200),
        ("unmatched", "legacy", "", 200),
    ]
    assert lines[0]["request_id"] == "mine-1"
    assert lines[0]["generation"] == 1
    assert "secret" not in log.read_text()


async def test_request_ids_are_kept_or_made(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        await fetch(edge.port, get("/", "X-Request-Id: abc-1", "traceparent: 00-1-2-01"))
        await fetch(edge.port, get("/", "X-Request-Id: not good"))
        await fetch(edge.port, get("/"))
        ids = [asked.header(b"x-request-id") for asked in legacy.asked]
        assert ids[0] == [b"abc-1"]
        assert legacy.asked[0].header(b"traceparent") == [b"00-1-2-01"]
        assert len({tuple(one) for one in ids}) == 3
        assert all(len(one) == 1 for one in ids)


async def _first_cookie(edge: InProcessEdge, *headers: str) -> list[bytes]:
    return (await fetch(edge.port, get("/moved", *headers))).values(b"set-cookie")


async def test_visitors_get_a_bucket_once_and_keep_their_side(tmp_path: Path) -> None:
    async with two_sides(tmp_path, "half: {percent: 50, routes: [GET /moved]}") as (edge, _, _):
        sides = {b"legacy": 0, b"python": 0}
        for _ in range(60):
            got = await fetch(edge.port, get("/moved"))
            (cookie,) = got.values(b"set-cookie")
            assert cookie.endswith(b"; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax")
            again = await fetch(edge.port, get("/moved", f"Cookie: {cookie.split(b';')[0].decode()}"))
            assert again.body == got.body
            assert again.values(b"set-cookie") == []
            sides[got.body] += 1
        assert min(sides.values()) > 10


async def test_no_cookie_on_an_answer_that_is_for_everybody(tmp_path: Path) -> None:
    async with two_sides(tmp_path, "half: {percent: 50, routes: [GET /moved]}") as (edge, legacy, python):
        legacy.script = python.script = always(answer(b"x", headers=b"Cache-Control: public, max-age=60\r\n"))
        assert await _first_cookie(edge) == []


async def test_draining_finishes_what_is_under_way_and_loses_nothing(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):

        async def slowly(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            await asyncio.sleep(0.3)
            writer.write(answer(b"done"))

        async with connect(edge.port) as idle, connect(edge.port) as busy:
            assert (await idle.ask(get("/"))).body == b"legacy"
            legacy.script = slowly
            await busy.send(get("/"))
            await until(lambda: len(legacy.asked) == 2)
            draining = asyncio.create_task(edge.edge.drain(5))
            await asyncio.sleep(0.05)
            last = await idle.ask(get("/"))
            assert (last.body, last.value(b"connection")) == (b"done", b"close")
            got = await busy.answer()
            assert (got.body, got.value(b"connection")) == (b"done", b"close")
            await draining
        with pytest.raises(ConnectionError):
            await fetch(edge.port, get("/"))
