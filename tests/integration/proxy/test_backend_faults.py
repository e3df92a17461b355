# SPDX-License-Identifier: AGPL-3.0-or-later
"""A backend that hangs, resets or babbles in each phase: its client is told so, or cut off; half is never the whole."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from proxy.dataplane.client import ClientConnection
from proxy.dataplane.pool import Pool
from tests.proxytest.backend import Asked, always, answer
from tests.proxytest.client import Message, RawClient, connect, fetch, get
from tests.proxytest.edge import InProcessEdge, in_process_edge, routing, two_sides
from tests.proxytest.waiting import until

BOTH_LOOPS = True

# Every wait ends soon, and failures open no circuit: each test looks at one exchange.
QUICK = (
    "breaker: {failures: 0}, pool: {wait: 300ms}, "
    "timeouts: {connect: 200ms, request_body: 200ms, first_byte: 200ms, stream_idle: 200ms}"
)
UPLOAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n"


async def hang(_asked: Asked, reader: Reader, writer: Writer) -> None:
    """Say nothing more until the other side goes."""
    with contextlib.suppress(ConnectionError):
        await writer.drain()
        await reader.read(1)


def reset(writer: Writer) -> None:
    """End with a reset, whatever is unread or unsent."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def failures(edge: InProcessEdge) -> dict[str, int]:
    """Code → how many exchanges ended with it."""
    counters = edge.edge.snapshot().counters
    prefix = 'banyan_edge_failures_total{code="'
    return {
        name.removeprefix(prefix).split('"')[0]: n for name, n in counters.items() if name.startswith(prefix)
    }


def told(got: Message) -> tuple[int, str]:
    """An answer of the edge's own: (status, code)."""
    assert got.value(b"connection") == b"close"
    return got.status, json.loads(got.body)["error"]


async def cut_off(client: RawClient) -> bool:
    """Whether the connection was reset, or ended, before an answer was whole."""
    try:
        got = await client.answer()
    except (ConnectionError, asyncio.IncompleteReadError):
        return True
    return not got.complete


@contextlib.contextmanager
def deaf_port() -> Iterator[int]:
    """A port whose queue of connections is full: no further one is ever accepted or refused."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        for _ in range(3):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield port


async def test_a_backend_that_does_not_accept(tmp_path: Path) -> None:
    with deaf_port() as port:
        url = f"http://127.0.0.1:{port}"
        async with in_process_edge(routing(url, url, backend=QUICK), tmp_path) as edge:
            assert told(await fetch(edge.port, get("/"))) == (504, "backend_connect_timeout")


async def test_who_waits_longer_for_a_connection_than_is_allowed(tmp_path: Path) -> None:
    with deaf_port() as port:
        url = f"http://127.0.0.1:{port}"
        slow = "pool: {wait: 200ms}, timeouts: {connect: 1m}"
        async with in_process_edge(routing(url, url, backend=slow), tmp_path) as edge:
            got = await fetch(edge.port, get("/"))
            assert told(got) == (503, "pool_timeout")
            assert got.value(b"retry-after") == b"1"


async def test_more_than_may_wait_are_refused_at_once(tmp_path: Path) -> None:
    narrow = "pool: {max_connections: 1, waiting: 1, wait: 1m}"
    async with two_sides(tmp_path, backend=narrow) as (edge, legacy, _):
        going_on = asyncio.Event()

        async def wait(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            await going_on.wait()
            writer.write(answer(b"in turn"))

        legacy.script = wait
        async with connect(edge.port) as first, connect(edge.port) as second:
            await first.send(get("/"))
            await until(lambda: len(legacy.asked) == 1)
            await second.send(get("/"))
            await until(lambda: edge.edge.generation.pools[0].sizes()[2] == 1)
            assert told(await fetch(edge.port, get("/"))) == (503, "pool_full")
            going_on.set()
            assert [(await one.answer()).body for one in (first, second)] == [b"in turn"] * 2


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Ty", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_a_backend_that_hangs_before_its_head_is_complete(tmp_path: Path, begun: bytes) -> None:
    async with two_sides(tmp_path, backend=QUICK) as (edge, legacy, _):

        async def script(asked: Asked, reader: Reader, writer: Writer) -> None:
            writer.write(begun)
            await hang(asked, reader, writer)

        legacy.script = script
        async with connect(edge.port) as client:
            await client.send(get("/"))
            got = await client.answer()
            while got.status == 100:
                got = await client.answer()
            assert told(got) == (504, "backend_first_byte_timeout")
            assert await client.ended()


async def test_a_head_that_comes_byte_by_byte_has_no_more_time_than_another(tmp_path: Path) -> None:
    async with two_sides(tmp_path, backend=QUICK) as (edge, legacy, _):

        async def dribble(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            with contextlib.suppress(ConnectionError):
                writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
                while True:
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.01)

        legacy.script = dribble
        assert told(await fetch(edge.port, get("/"))) == (504, "backend_first_byte_timeout")


@pytest.mark.parametrize("endless", [b"X-More: of the same\r\n", b"x" * 30])
async def test_endless_headers(tmp_path: Path, endless: bytes) -> None:
    async with two_sides(tmp_path, backend=QUICK) as (edge, legacy, _):

        async def babble(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\n")
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(endless * 100)
                    await writer.drain()

        legacy.script = babble
        assert told(await fetch(edge.port, get("/"))) == (502, "backend_malformed")


@pytest.mark.parametrize(
    "begun",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nhalf",
    ],
)
@pytest.mark.parametrize("end", ["hang", "reset", "close"])
async def test_an_answer_that_is_not_whole_is_never_ended_cleanly(
    tmp_path: Path, begun: bytes, end: str
) -> None:
    async with two_sides(tmp_path, backend=QUICK) as (edge, legacy, _):
        seen = asyncio.Event()

        async def script(asked: Asked, reader: Reader, writer: Writer) -> None:
            writer.write(begun)
            await writer.drain()
            await seen.wait()
            if end == "hang":
                await hang(asked, reader, writer)
            elif end == "reset":
                reset(writer)
            else:
                writer.close()

        legacy.script = script
        async with connect(edge.port) as client:
            await client.send(get("/"))
            asyncio.get_running_loop().call_soon(seen.set)
            whole = not await cut_off(client)
        until_close = begun == b"HTTP/1.1 200 OK\r\n\r\nhalf"
        assert whole is (until_close and end == "close")
        if not whole:
            expected = "backend_stream_timeout" if end == "hang" else "backend_reset"
            assert failures(edge) == {expected: 1}


async def test_an_upload_that_the_backend_does_not_read(tmp_path: Path) -> None:
    async with two_sides(tmp_path, backend=QUICK) as (edge, legacy, _):
        legacy.read_bodies = False
        over = asyncio.Event()

        async def deaf(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport can
            await over.wait()
            writer.transport.abort()

        legacy.script = deaf
        async with connect(edge.port) as client:
            client.writer.write(UPLOAD + b"x" * 50_000_000)
            assert told(await client.answer(b"POST")) == (504, "backend_stream_timeout")
        over.set()


async def test_an_upload_whose_client_hangs(tmp_path: Path) -> None:
    async with two_sides(tmp_path, backend=QUICK) as (edge, legacy, _):
        legacy.read_bodies = False
        legacy.script = hang
        async with connect(edge.port) as client:
            await client.send(UPLOAD)
            assert told(await client.answer(b"POST")) == (408, "request_timeout")


@pytest.mark.parametrize("size", [2, 20_000])
async def test_an_early_answer_outlives_the_reset_of_the_upload(tmp_path: Path, size: int) -> None:
    """The backend answers and hangs up with the upload unread: the reset fails our next write, the answer is there."""
    async with two_sides(tmp_path, backend=QUICK) as (edge, legacy, _):
        legacy.read_bodies = False
        body = b"x" * size

        async def refuse(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            writer.write(answer(body, b"413 Content Too Large", b"Connection: close\r\n"))
            await writer.drain()
            writer.close()  # with bytes unread: the kernel sends a reset behind the answer

        legacy.script = refuse
        for _ in range(10):
            async with connect(edge.port) as client:
                client.writer.write(UPLOAD + b"x" * 5_000_000)
                got = await client.answer(b"POST")
                assert (got.status, got.body, got.complete) == (413, body, True)


async def test_a_slow_backend_gets_the_whole_upload_and_the_edge_stays_small(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.read_bodies = False
        size = 30_000_000
        received = 0
        going_on = asyncio.Event()

        async def slowly(_asked: Asked, reader: Reader, writer: Writer) -> None:
            nonlocal received
            await going_on.wait()
            while received < size:
                received += len(await reader.read(100_000))
            writer.write(answer(b"%d" % received))

        legacy.script = slowly
        async with connect(edge.port) as client:
            sending = asyncio.create_task(
                client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
            )
            await until(lambda: len(legacy.asked) == 1)
            (exchange,) = [
                one.exchange
                for one in edge.edge.connections
                if isinstance(one, ClientConnection) and one.exchange is not None
            ]
            upstream = exchange.upstream
            assert upstream is not None
            await until(lambda: exchange.client._paused_for_upstream)
            assert exchange.bytes_in < size
            assert upstream.transport.get_write_buffer_size() < 1_000_000
            going_on.set()
            assert (await client.answer(b"POST")).body == b"%d" % size
            await sending


def _at_rest(pool: Pool) -> bool:
    open_, idle, waiting = pool.sizes()
    return open_ == idle and not waiting


@contextlib.asynccontextmanager
async def quiet(edge: InProcessEdge) -> AsyncIterator[None]:
    """Nothing is left of what happened within."""
    yield
    await until(lambda: not edge.edge.connections)
    for pool in edge.edge.generation.pools:
        await until(partial(_at_rest, pool))


async def test_nothing_leaks_over_many_faults(tmp_path: Path) -> None:
    async with two_sides(tmp_path, backend="breaker: {failures: 0}, timeouts: {first_byte: 300ms}") as (
        edge,
        legacy,
        _,
    ):
        turns = 0

        async def anything(asked: Asked, reader: Reader, writer: Writer) -> None:
            nonlocal turns
            turns += 1
            match turns % 6:
                case 0:
                    writer.write(b"garbage\r\n\r\n")
                case 1:
                    reset(writer)
                case 2:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
                    await writer.drain()
                    reset(writer)
                case 3:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more than that")
                case 4 if turns % 60 == 4:
                    await hang(asked, reader, writer)
                case _:
                    writer.write(answer(b"ok"))

        legacy.script = anything

        async def visit() -> None:
            for _ in range(60):
                async with connect(edge.port) as client:
                    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, AssertionError):
                        await client.ask(get("/"))

        async with quiet(edge):
            await asyncio.gather(*(visit() for _ in range(10)))
        assert turns >= 600
        legacy.script = always(answer(b"well again"))
        assert (await fetch(edge.port, get("/"))).body == b"well again"
