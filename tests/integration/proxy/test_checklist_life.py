# SPDX-License-Identifier: AGPL-3.0-or-later
"""The life of connections: who leaves when, what that does to the other leg, and what each phase may take."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.dataplane.client import ClientConnection
from tests.proxytest.backend import Asked, always, answer
from tests.proxytest.client import RawClient, connect, fetch, get
from tests.proxytest.clock import EdgeClock
from tests.proxytest.edge import InProcessEdge, in_process_edge, routing, two_sides
from tests.proxytest.waiting import until

BOTH_LOOPS = True
MOVED = "all: {percent: 100, routes: [GET /moved]}"
UPLOAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"


async def never(_asked: Asked, reader: Reader, _writer: Writer) -> None:
    """Say nothing until the other side leaves."""
    await reader.read()


async def echo(asked: Asked, _reader: Reader, writer: Writer) -> None:
    """Answer with the target."""
    writer.write(answer(asked.target))


def reset(client: RawClient) -> None:
    """Leave for good: a mere close looks like the end of the requests, and answers are still owed then."""
    sock = client.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()


def at_rest(edge: InProcessEdge) -> bool:
    """Whether nothing is left of any request: no client, no busy or waiting backend connection."""
    sizes = [pool.sizes() for pool in edge.edge.generation.pools]
    return not edge.edge.connections and all(total == idle and not waiting for total, idle, waiting in sizes)


# -- who leaves -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", b"GET / HT", get("/")[:-2], get("/"), UPLOAD, UPLOAD + b"x" * 500])
async def test_a_client_may_leave_at_any_time_and_nothing_stays(tmp_path: Path, sent: bytes) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.read_bodies = False
        legacy.script = never
        whole_head = b"\r\n\r\n" in sent
        async with connect(edge.port) as client:
            await client.send(sent)
            await until(lambda: len(edge.edge.connections) == 1 and len(legacy.asked) == whole_head)
            reset(client)
        await until(lambda: at_rest(edge))
        assert sum(edge.requests().values()) == whole_head
        assert edge.counted("banyan_edge_failures_total") == whole_head


async def test_a_client_that_waits_in_line_may_leave(tmp_path: Path) -> None:
    async with two_sides(tmp_path, backend="pool: {max_connections: 1}") as (edge, legacy, _):
        legacy.script = never
        async with connect(edge.port) as first, connect(edge.port) as second:
            await first.send(get("/first"))
            await until(lambda: len(legacy.asked) == 1)
            await second.send(get("/second"))
            await until(lambda: edge.edge.generation.pools[0].sizes()[2] == 1)
            reset(second)
            await until(lambda: edge.edge.generation.pools[0].sizes()[2] == 0)
            legacy.script = None
            reset(first)
            assert (await fetch(edge.port, get("/third"))).body == b"legacy"
        assert [asked.target for asked in legacy.asked] == [b"/first", b"/third"]
        await until(lambda: at_rest(edge))


HALVES = {
    "an idle connection": (b"", []),
    "one request": (get("/1"), [b"/1"]),
    "a request with its body": (b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", [b"/1"]),
    "three in a row": (get("/1") + get("/2") + get("/3"), [b"/1", b"/2", b"/3"]),
    "two and a part": (get("/1") + get("/2") + b"GET /3 HT", [b"/1", b"/2"]),
}


@pytest.mark.parametrize("name", HALVES)
async def test_who_finished_sending_still_gets_every_answer(tmp_path: Path, name: str) -> None:
    sent, targets = HALVES[name]
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.script = echo
        async with connect(edge.port) as client:
            await client.send(sent)
            client.writer.write_eof()
            assert [(await client.answer()).body for _ in targets] == targets
            if name == "two and a part":
                assert (await client.answer()).status == 400
            assert await client.ended()
        await until(lambda: at_rest(edge))


async def test_who_ends_in_the_middle_of_a_body_gets_no_answer(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        async with connect(edge.port) as client:
            await client.send(UPLOAD + b"x" * 10)
            await until(lambda: legacy.connections == 1)
            client.writer.write_eof()
            assert await client.ended()
        await until(lambda: at_rest(edge))
        assert not any(asked.message.complete for asked in legacy.asked)


async def test_the_last_answers_reach_a_client_that_sent_more_than_is_answered(tmp_path: Path) -> None:
    """The edge closes while requests lie unread: a reset would overtake the answer."""
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.script = always(answer(b"x" * 300_000, headers=b""))
        async with connect(edge.port) as client:
            edge.edge.draining = True
            client.writer.write(b"".join(get(f"/{n}") for n in range(20_000)))
            got = await client.answer()
            assert (len(got.body), got.value(b"connection")) == (300_000, b"close")
            assert await client.ended()
        edge.edge.draining = False
        assert len(legacy.asked) == 1


# -- deadlines ------------------------------------------------------------------------------------------------

DEADLINES = {
    "first byte": ("first_byte", get("/"), b"", 504, "backend_first_byte_timeout"),
    "a body that stalls": ("request_body", UPLOAD + b"x", b"", 408, "request_timeout"),
    "an answer's head that stalls": (
        "first_byte",
        get("/"),
        b"HTTP/1.1 200 OK\r\nA:",
        504,
        "backend_first_byte_timeout",
    ),
    "interim only": (
        "first_byte",
        get("/"),
        b"HTTP/1.1 102 Processing\r\n\r\n",
        504,
        "backend_first_byte_timeout",
    ),
    "all of it": ("total", get("/"), b"", 504, "backend_total_timeout"),
    "all of an upload": ("total", UPLOAD + b"x", b"", 504, "backend_total_timeout"),
}


@pytest.mark.parametrize("name", DEADLINES)
async def test_each_phase_has_its_deadline_and_its_code(tmp_path: Path, name: str) -> None:
    key, sent, said, status, code = DEADLINES[name]
    async with two_sides(tmp_path, backend=f"timeouts: {{{key}: 20s}}") as (edge, legacy, _):
        clock = EdgeClock(edge.edge)
        legacy.read_bodies = False
        heard = asyncio.Event()

        async def script(_asked: Asked, reader: Reader, writer: Writer) -> None:
            writer.write(said)
            heard.set()
            await reader.read()

        legacy.script = script
        async with connect(edge.port) as client:
            await client.send(sent)
            await heard.wait()
            if said.endswith(b"\r\n\r\n"):
                assert (await client.answer()).status == 102
            clock.pass_by(15)
            await asyncio.sleep(0)
            assert sum(edge.requests().values()) == 0
            clock.pass_by(6)
            got = await client.answer(sent.split(b" ")[0])
            assert (got.status, json.loads(got.body)["error"]) == (status, code)
            client.writer.write_eof()
            assert await client.ended()
        await until(lambda: at_rest(edge))


@pytest.mark.parametrize("key", ["stream_idle", "total"])
async def test_an_answer_that_stalls_is_cut_off(tmp_path: Path, key: str) -> None:
    async with two_sides(tmp_path, backend=f"timeouts: {{{key}: 20s}}") as (edge, legacy, _):
        clock = EdgeClock(edge.edge)

        async def script(_asked: Asked, reader: Reader, writer: Writer) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            await reader.read()

        legacy.script = script
        async with connect(edge.port) as client:
            await client.send(get("/"))
            await client.reader.readuntil(b"abc\r\n")
            clock.pass_by(21)
            with pytest.raises(ConnectionError):
                await client.reader.read()
        await until(lambda: at_rest(edge))
        counters = edge.edge.snapshot().counters
        code = "backend_total_timeout" if key == "total" else "backend_stream_timeout"
        assert counters[f'banyan_edge_failures_total{{code="{code}",side="legacy"}}'] == 1


async def test_a_client_that_stops_reading_is_let_go_and_so_is_its_backend(tmp_path: Path) -> None:
    async with two_sides(tmp_path, backend="timeouts: {stream_idle: 20s}") as (edge, legacy, _):
        clock = EdgeClock(edge.edge)
        legacy.script = _flood
        with _narrow_client(edge.port) as client:
            client.sendall(get("/"))
            await until(lambda: _write_paused(edge))
            await until(lambda: _later(clock, 21) or at_rest(edge))
        counters = edge.edge.snapshot().counters
        assert counters['banyan_edge_failures_total{code="client_stalled",side="legacy"}'] == 1


async def test_a_client_that_reads_on_slowly_is_kept_for_as_long_as_it_does(tmp_path: Path) -> None:
    """Within one pause of writing: it never comes so far that more is written."""
    async with two_sides(tmp_path, backend="timeouts: {stream_idle: 20s}") as (edge, legacy, _):
        clock = EdgeClock(edge.edge)
        legacy.script = _flood
        with _narrow_client(edge.port) as client:
            await _narrow_edge(edge)
            client.sendall(get("/"))
            await until(lambda: _write_paused(edge))
            for _ in range(2):
                await _read(client, A_WHILE)
                clock.pass_by(21)
                assert _write_paused(edge)
            await until(lambda: _later(clock, 21) or at_rest(edge))
        counters = edge.edge.snapshot().counters
        assert counters['banyan_edge_failures_total{code="client_stalled",side="legacy"}'] == 1


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
async def test_what_is_left_of_the_last_answer_is_read_as_slowly(tmp_path: Path, connection: str) -> None:
    """The exchange is over, its answer lies in the edge's buffer: no idle connection that might be closed, and after
    `Connection: close` none that has lingered too long."""
    async with two_sides(tmp_path, backend="timeouts: {stream_idle: 1h}") as (edge, legacy, _):
        clock = EdgeClock(edge.edge)
        legacy.script = _page
        with _narrow_client(edge.port) as client:
            await _narrow_edge(edge)
            client.sendall(get("/", f"Connection: {connection}"))
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += await _read(client, 1)
            assert head.startswith(b"HTTP/1.1 200 ")
            for _ in range(len(PAGE) // A_WHILE):
                assert await _read(client, A_WHILE) == b"x" * A_WHILE
                clock.pass_by(30)
            await until(lambda: _later(clock, 100) or at_rest(edge))
    assert not edge.edge.connections


PAGE = b"x" * 200_000
A_WHILE = 20_000  # more than the client's kernel holds, so that the edge's learns of it


async def _page(_asked: Asked, _reader: Reader, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE)


def _narrow_client(port: int) -> socket.socket:
    """A client whose kernel takes little that it has not read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    client.connect(("127.0.0.1", port))
    client.setblocking(False)
    return client


async def _narrow_edge(edge: InProcessEdge) -> None:
    """Have the kernel take little of what the edge sends, so that the edge holds the rest."""
    await until(lambda: len(edge.edge.connections) == 1)
    (connection,) = edge.edge.connections
    assert isinstance(connection, ClientConnection)
    sock = connection._transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)


async def _read(client: socket.socket, size: int) -> bytes:
    """Read just so much."""
    data = b""
    async with asyncio.timeout(10):
        while len(data) < size:
            piece = await asyncio.get_running_loop().sock_recv(client, size - len(data))
            assert piece, "the edge ended the connection too early"
            data += piece
    return data


def _later(clock: EdgeClock, seconds: float) -> bool:
    clock.pass_by(seconds)
    return False


async def _flood(_asked: Asked, _reader: Reader, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500000000\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        for _ in range(5000):
            writer.write(b"x" * 100_000)
            await writer.drain()


def _write_paused(edge: InProcessEdge) -> bool:
    return any(getattr(one, "_write_paused", False) for one in edge.edge.connections)


async def test_an_address_that_does_not_accept_is_a_timeout_of_its_own(tmp_path: Path) -> None:
    async with (
        _deaf() as url,
        in_process_edge(routing(url, url, backend="timeouts: {connect: 200ms}"), tmp_path) as edge,
    ):
        got = await fetch(edge.port, get("/"))
        assert (got.status, json.loads(got.body)["error"]) == (504, "backend_connect_timeout")
        await until(lambda: at_rest(edge))


@contextlib.asynccontextmanager
async def _deaf() -> AsyncIterator[str]:
    """An address whose queue of connections is full: the kernel lets further ones wait."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


async def test_who_waits_too_long_for_a_connection_is_told_when_to_come_back(tmp_path: Path) -> None:
    async with two_sides(tmp_path, backend="pool: {max_connections: 1, waiting: 1, wait: 20s}") as (
        edge,
        legacy,
        _,
    ):
        clock = EdgeClock(edge.edge)
        legacy.script = never
        async with connect(edge.port) as first, connect(edge.port) as second:
            await first.send(get("/"))
            await until(lambda: len(legacy.asked) == 1)
            await second.send(get("/"))
            await until(lambda: edge.edge.generation.pools[0].sizes()[2] == 1)
            full = await fetch(edge.port, get("/"))
            assert (full.status, json.loads(full.body)["error"]) == (503, "pool_full")
            clock.pass_by(21)
            late = await second.answer()
            assert (late.status, json.loads(late.body)["error"]) == (503, "pool_timeout")
            assert full.value(b"retry-after") == late.value(b"retry-after") == b"1"


async def test_slow_heads_are_408_and_idle_connections_end_quietly(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, _, _):
        clock = EdgeClock(edge.edge)
        async with connect(edge.port) as silent, connect(edge.port) as slow, connect(edge.port) as idle:
            assert (await idle.ask(get("/"))).body == b"legacy"
            await slow.send(b"GET / HTTP/1.1\r\n")
            await until(lambda: len(edge.edge.connections) == 3)
            for _ in range(4):  # a byte now and then does not help
                clock.pass_by(3)
                with contextlib.suppress(ConnectionError):
                    await slow.send(b"A")
                await asyncio.sleep(0.01)
            got = await slow.answer()
            assert (got.status, json.loads(got.body)["error"]) == (408, "request_timeout")
            assert await silent.ended()
            assert (await idle.ask(get("/"))).body == b"legacy"
            clock.pass_by(80)
            assert await idle.ended()
        await until(lambda: not edge.edge.connections)


async def test_idle_backend_connections_are_not_kept_until_the_backend_closes_them(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        clock = EdgeClock(edge.edge)
        await fetch(edge.port, get("/"))
        assert edge.edge.generation.pools[0].sizes()[:2] == (1, 1)
        clock.pass_by(6)
        post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
        await fetch(edge.port, post)  # what may not be repeated takes no connection that was idle for long
        assert legacy.connections == 2
        await fetch(edge.port, get("/"))
        assert legacy.connections == 2
        clock.pass_by(11)
        await until(lambda: edge.edge.generation.pools[0].sizes()[:2] == (0, 0))


async def test_a_request_keeps_the_configuration_it_began_with(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    async with two_sides(tmp_path, MOVED, log=log) as (edge, legacy, python):
        go_on = asyncio.Event()

        async def slowly(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            await go_on.wait()
            writer.write(answer(b"python"))

        python.script = slowly
        async with connect(edge.port) as client:
            await client.send(get("/moved"))
            await until(lambda: len(python.asked) == 1)
            edge.install(routing(legacy.url, legacy.url))
            assert (await fetch(edge.port, get("/moved"))).body == b"legacy"
            go_on.set()
            assert (await client.answer()).body == b"python"
            assert (await client.ask(get("/moved"))).body == b"legacy"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["generation"], line["side"]) for line in lines] == [
        (2, "legacy"),
        (1, "python"),
        (2, "legacy"),
    ]


# -- a reader that is slower than its requests ----------------------------------------------------------------


async def test_who_asks_without_reading_is_not_answered_into_memory(tmp_path: Path) -> None:
    """Each request comes by itself, none of the answers is read: the edge asks the backend no further."""
    body = b"x" * 1_000_000
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.script = always(answer(body))
        async with connect(edge.port) as client:
            for _ in range(60):
                client.writer.write(get("/"))
                await asyncio.sleep(0.005)
            await until(lambda: _write_paused(edge))
            (connection,) = edge.edge.connections
            transport = connection._transport
            assert transport.get_write_buffer_size() < 4_000_000
            assert len(legacy.asked) < 30
            for _ in range(60):
                assert len((await client.answer()).body) == len(body)
        assert len(legacy.asked) == 60


async def test_a_flood_of_requests_sent_ahead_stays_in_the_clients_hands(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.script = never
        async with connect(edge.port) as client:
            flood = get("/") * 10_000
            client.writer.write(flood * 20)
            await until(lambda: len(legacy.asked) == 1)
            (connection,) = edge.edge.connections
            assert isinstance(connection, ClientConnection)
            await until(lambda: len(connection._held) > 65_536)
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert len(connection._held) < 600_000
            assert len(legacy.asked) == 1
            client.writer.transport.abort()


async def test_who_finished_sending_and_never_reads_is_not_kept_for_ever(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        clock = EdgeClock(edge.edge)
        legacy.script = always(answer(b"x" * 200_000))
        async with _never_reading(edge.port) as sock:
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(sock, get("/") * 60)
            await until(lambda: _write_paused(edge))
            sock.shutdown(socket.SHUT_WR)
            await asyncio.sleep(0.05)
            for _ in range(5):
                clock.pass_by(80)
                await asyncio.sleep(0.01)
            await until(lambda: at_rest(edge))


@contextlib.asynccontextmanager
async def _never_reading(port: int) -> AsyncIterator[socket.socket]:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        yield sock


async def test_a_backend_that_takes_nothing_holds_back_an_upload_from_its_first_byte(tmp_path: Path) -> None:
    """The first piece alone is more than the backend's socket takes."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with in_process_edge(routing(url, url), tmp_path) as edge, connect(edge.port) as client:
            size = 200_000_000
            await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
            sent = 0

            async def upload() -> None:
                nonlocal sent
                piece = b"x" * 1_000_000
                while sent < size:
                    await client.send(piece)
                    sent += len(piece)

            uploading = asyncio.create_task(upload())
            seen, rounds = -1, 0
            while rounds < 10:
                await asyncio.sleep(0.02)
                seen, rounds = sent, (rounds + 1 if sent == seen and sent else 0)
            uploading.cancel()
            assert sent < 30_000_000
            client.writer.transport.abort()


# -- tunnels --------------------------------------------------------------------------------------------------

UPGRADE = get(
    "/cable",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


async def test_what_a_client_sends_before_the_switch_is_tunnelled_all_of_it(tmp_path: Path) -> None:
    early = bytes(range(256)) * 8000
    async with two_sides(tmp_path) as (edge, legacy, _):
        go_on = asyncio.Event()

        async def script(_asked: Asked, reader: Reader, writer: Writer) -> None:
            await go_on.wait()
            writer.write(SWITCH)
            writer.write(await reader.readexactly(len(early)))

        legacy.script = script
        async with connect(edge.port) as client, asyncio.timeout(10):
            client.writer.write(UPGRADE + early)
            await until(lambda: len(legacy.asked) == 1)
            await until(
                lambda: any(len(getattr(one, "_held", b"")) > 65_536 for one in edge.edge.connections)
            )
            go_on.set()
            assert (await client.answer()).status == 101
            assert await client.reader.readexactly(len(early)) == early


async def test_a_client_that_finished_sending_before_the_switch_does_not_keep_the_tunnel_open(
    tmp_path: Path,
) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        go_on = asyncio.Event()

        async def script(_asked: Asked, reader: Reader, writer: Writer) -> None:
            await go_on.wait()
            writer.write(SWITCH)
            writer.write(b"got " + await reader.read())
            writer.close()

        legacy.script = script
        async with connect(edge.port) as client, asyncio.timeout(10):
            await client.send(UPGRADE + b"all there is")
            client.writer.write_eof()
            await until(lambda: len(legacy.asked) == 1)
            (connection,) = edge.edge.connections
            assert isinstance(connection, ClientConnection)
            await until(lambda: connection._half_closed)
            go_on.set()
            assert (await client.answer()).status == 101
            assert await client.reader.read() == b"got all there is"
        await until(lambda: not edge.edge.tunnels._ends)


@pytest.mark.parametrize("silent", ["client", "backend"])
async def test_a_tunnel_whose_end_does_not_read_holds_back_the_other_and_ends_with_its_idle_time(
    tmp_path: Path, silent: str
) -> None:
    async with two_sides(tmp_path, backend="timeouts: {tunnel_idle: 20s}") as (edge, legacy, _):
        clock = EdgeClock(edge.edge)
        written = 0

        async def pour(writer: Writer) -> None:
            nonlocal written
            with contextlib.suppress(ConnectionError):
                while written < 200_000_000:
                    writer.write(b"x" * 100_000)
                    await writer.drain()
                    written += 100_000

        async def script(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            writer.write(SWITCH)
            if silent == "client":
                await pour(writer)
            else:
                await over.wait()

        over = asyncio.Event()
        legacy.script = script
        async with connect(edge.port) as client:
            await client.send(UPGRADE)
            assert (await client.answer()).status == 101
            pouring = asyncio.create_task(pour(client.writer)) if silent == "backend" else None
            seen, rounds = -1, 0
            while rounds < 10:
                await asyncio.sleep(0.02)
                seen, rounds = written, (rounds + 1 if written == seen and written else 0)
            assert written < 50_000_000
            for _ in range(3):
                clock.pass_by(21)
                await asyncio.sleep(0.01)
            await until(lambda: not edge.edge.tunnels._ends)
            client.writer.transport.abort()
            over.set()
            if pouring is not None:
                await pouring


@pytest.mark.parametrize(
    "lines",
    [
        ("Upgrade: websocket",),  # Connection does not name it
        ("Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
        ("Connection: Upgrade", "Upgrade: websocket, h2c"),
        ("Connection: Upgrade",),
    ],
)
async def test_an_upgrade_to_anything_else_is_an_ordinary_request(
    tmp_path: Path, lines: tuple[str, ...]
) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        async with connect(edge.port) as client:
            assert (await client.ask(get("/", *lines) + get("/next"))).body == b"legacy"
            assert (await client.answer()).body == b"legacy"
        first = legacy.asked[0]
        assert (
            first.header(b"upgrade") == first.header(b"connection") == first.header(b"http2-settings") == []
        )


@pytest.mark.parametrize(
    "ask", [UPGRADE.replace(b"GET", b"POST"), UPGRADE[:-2] + b"Content-Length: 3\r\n\r\nabc"]
)
async def test_a_switch_of_what_is_no_upgrade_is_refused(tmp_path: Path, ask: bytes) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.script = always(SWITCH)
        async with connect(edge.port) as client:
            await client.send(ask)
            got = await client.answer()
            assert (got.status, json.loads(got.body)["error"]) == (502, "backend_malformed")
        await until(lambda: at_rest(edge))
        assert len(edge.edge.tunnels) == 0


async def test_an_upgrade_refused_leaves_no_tunnel_behind(tmp_path: Path) -> None:
    """A backend that says no: what the client sends next is a request, and looked at as one."""
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.script = always(answer(b"no", b"426 Upgrade Required"))
        async with connect(edge.port) as client:
            assert (await client.ask(UPGRADE)).status == 426
            await client.send(b"GET /smuggled HTTP/1.1\r\n\r\n")
            assert (await client.answer()).status == 400
            assert await client.ended()
        assert [asked.target for asked in legacy.asked] == [b"/cable"]


async def test_a_write_never_rides_a_connection_that_is_closing(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        async with connect(edge.port) as client:
            assert (await client.ask(get("/"))).body == b"legacy"
            (idle,) = edge.edge.generation.pools[0]._idle
            idle.transport.close()
            post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
            connection = next(iter(edge.edge.connections))
            connection.data_received(post)
            assert (await client.answer()).body == b"legacy"
        assert legacy.connections == 2
        assert edge.counted("banyan_edge_failures_total") == 0


async def test_a_repeated_request_takes_a_fresh_connection(tmp_path: Path) -> None:
    """A backend that restarts makes every idle connection stale at once."""
    async with two_sides(tmp_path, MOVED) as (edge, _, python):
        together = asyncio.Event()

        async def at_once(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            if len(python.asked) == 3:
                together.set()
            await together.wait()
            writer.write(answer(b"before"))

        python.script = at_once
        await asyncio.gather(*(fetch(edge.port, get("/moved")) for _ in range(3)))
        assert edge.edge.generation.pools[1].sizes()[:2] == (3, 3)

        async def restarted(asked: Asked, _reader: Reader, writer: Writer) -> None:
            if asked.connection <= 3:
                writer.close()
            else:
                writer.write(answer(b"after"))

        python.script = restarted
        assert (await fetch(edge.port, get("/moved"))).body == b"after"
        assert edge.counted("banyan_edge_retries_total") == 1


@pytest.mark.parametrize("fault", ["unreachable", "draining"])
async def test_what_a_client_was_about_to_send_does_not_destroy_its_last_answer(
    tmp_path: Path, fault: str
) -> None:
    """The edge says good-bye of its own accord; a socket that is closed at once would answer more with a reset."""
    async with two_sides(tmp_path) as (edge, legacy, _):
        if fault == "unreachable":
            await legacy.stop()
        else:
            edge.edge.draining = True
        async with connect(edge.port) as client:
            await client.send(get("/"))
            await client.reader.readuntil(b"Connection: close\r\n")
            for _ in range(3):
                await client.send(get("/sent-ahead"))
                await asyncio.sleep(0.01)
            await client.reader.read()
        edge.edge.draining = False
        await until(lambda: at_rest(edge))
