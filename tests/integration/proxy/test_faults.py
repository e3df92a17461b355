# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ten thousand faults of backends and clients, mixed with good requests: nothing is left of any of them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import cast

import pytest

from loadtests.fuzz.answers import read_answer
from loadtests.fuzz.cases import Case
from loadtests.fuzz.client import run_case
from loadtests.fuzz.subject import LoopSubject
from proxy.dataplane.edge import Edge
from tests.proxytest.edge import InProcessEdge, in_process_edge
from tests.proxytest.waiting import until

BOTH_LOOPS = True
FAULTS = 10_000
AT_ONCE = 48

HEAD = b"HTTP/1.1 200 OK\r\n"
LENGTH = HEAD + b"Content-Length: 1000\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSE, RESET, STAY = "close", "reset", "stay"


@dataclass(frozen=True)
class Fault:
    """What the backend says, in pieces that arrive apart, and what it does then. `status`: what the client gets; 0: an
    answer that is cut off."""

    says: tuple[bytes, ...]
    then: str
    status: int


FAULTY = {
    "good": Fault((HEAD + b"Content-Length: 4\r\n\r\ngood",), STAY, 200),
    "good-chunks": Fault((CHUNKED + b"4\r\ngo", b"od\r\n0\r\n\r\n"), STAY, 200),
    "until-close": Fault((HEAD + b"\r\ngood",), CLOSE, 200),
    "one-too-many": Fault((HEAD + b"Content-Length: 4\r\n\r\ngood" + LENGTH + b"x",), STAY, 200),
    "hang-up": Fault((), CLOSE, 502),
    "reset": Fault((), RESET, 502),
    "half-a-head": Fault((HEAD + b"Content-Le",), CLOSE, 502),
    "half-a-head-reset": Fault((HEAD + b"Content-Le",), RESET, 502),
    "garbage": Fault((b"\x16\x03\x01garbage\r\n\r\n",), STAY, 502),
    "bad-length": Fault((HEAD + b"Content-Length: 4, 4\r\n\r\ngood",), STAY, 502),
    "status-999": Fault((b"HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n",), STAY, 502),
    "endless-head": Fault((HEAD + b"A: b\r\n" * 12_000,), STAY, 502),
    "interim-flood": Fault((b"HTTP/1.1 102 Wait\r\n\r\n" * 50,), STAY, 502),
    "unasked-switch": Fault((b"HTTP/1.1 101 Now\r\nUpgrade: websocket\r\n\r\n",), STAY, 502),
    "half-a-length": Fault((LENGTH + b"x" * 500,), CLOSE, 0),
    "half-a-length-reset": Fault((LENGTH, b"x" * 500), RESET, 0),
    "half-a-chunk": Fault((CHUNKED + b"100\r\nxx",), CLOSE, 0),
    "half-the-chunks": Fault((CHUNKED + b"4\r\ngood\r\n",), CLOSE, 0),
    "half-the-chunks-reset": Fault((CHUNKED, b"4\r\ngood\r\n0\r\n"), RESET, 0),
    "bad-chunk": Fault((CHUNKED + b"4\r\ngood\r\n", b"zz\r\n"), STAY, 0),
}
HANGING = {
    "silence": Fault((), STAY, 504),
    "stalled-head": Fault((HEAD + b"Content-Le",), STAY, 504),
    "stalled-body": Fault((LENGTH + b"x" * 500,), STAY, 0),
    "stalled-chunks": Fault((CHUNKED + b"4\r\ngood\r\n",), STAY, 0),
}
REFUSED = ("refused", "slammed")
LEAVING = ("client-leaves", "client-breaks-chunk")


class FaultyBackend(asyncio.Protocol):
    """Does what the target names: /KIND."""

    def __init__(self) -> None:
        self._transport = asyncio.Transport()
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, blank, body = self._data.partition(b"\r\n\r\n")
        if not blank or (b"Content-Length: 2" in head and len(body) < 2):
            return
        self._data = b""
        kind = head.split(b" ", 2)[1].strip(b"/").decode()
        fault = {**FAULTY, **HANGING}.get(kind)
        if fault is not None:
            self._do(fault, 0)

    def _do(self, fault: Fault, step: int) -> None:
        if self._transport.is_closing():
            return
        if step < len(fault.says):
            self._transport.write(fault.says[step])
            asyncio.get_running_loop().call_later(0.002, self._do, fault, step + 1)
        elif fault.then == CLOSE:
            self._transport.close()
        elif fault.then == RESET:
            reset(self._transport)


class Slammer(asyncio.Protocol):
    """Accepts, and resets at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        reset(cast("asyncio.Transport", transport))


def reset(transport: asyncio.Transport) -> None:
    transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    transport.abort()


@contextlib.asynccontextmanager
async def listening(make: Callable[[], asyncio.Protocol]) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, backlog=512)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextlib.contextmanager
def nobody() -> Iterator[int]:
    """A port where connections are refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextlib.asynccontextmanager
async def edge_among_faults(folder: Path) -> AsyncIterator[InProcessEdge]:
    async with listening(FaultyBackend) as faulty, listening(Slammer) as slammer:
        with nobody() as refusing:
            quick = "timeouts: {first_byte: 300ms, stream_idle: 300ms}"
            ports = {
                "legacy": (faulty, ""),
                "hanging": (faulty, quick),
                "slammer": (slammer, ""),
                "nobody": (refusing, ""),
            }
            backends = "".join(
                f"  {name}{more}: {{urls: ['http://127.0.0.1:{port}'], breaker: {{failures: 0}}, {keys}}}\n"
                for name, (port, keys) in ports.items()
                for more in ("", "-too")
            )
            groups = {"hanging": HANGING, "slammer": ["slammed"], "nobody": ["refused"]}
            lines = "".join(
                f"  {name}: {{from: {name}, to: {name}-too, percent: 50, routes: "
                f"[{', '.join(f'GET /{kind}, POST /{kind}' for kind in kinds)}]}}\n"
                for name, kinds in groups.items()
            )
            text = f"version: 1\nsalt: x\nbackends:\n{backends}defaults: {{to: legacy-too}}\ngroups:\n{lines}"
            async with in_process_edge(text, folder) as edge:
                yield edge


def request(kind: str, chance: Random) -> tuple[bytes, bytes]:
    """(method, bytes) of a request for a fault."""
    if kind == "client-breaks-chunk":
        return b"POST", b"POST /silence HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxyz\r\n"
    if chance.random() < 0.3:
        json = b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        return b"POST", f"POST /{kind} HTTP/1.1\r\nHost: a\r\n".encode() + json
    return b"GET", f"GET /{kind} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


async def one(port: int, kind: str, number: int, chance: Random) -> None:
    """Ask for a fault, and check what comes of it."""
    if kind == "client-leaves":
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /silence HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(0.001 * chance.randint(0, 10))
        reset(cast("asyncio.Transport", writer.transport))
        return
    method, data = request(kind, chance)
    received = await run_case(port, Case(number, "asked", (), (data,)))
    assert received.end != "hang", kind
    answer, rest = read_answer(received.data, method, ended_well=received.end == "closed")
    assert answer is None or not answer.bad, (kind, received)
    assert not rest, (kind, received)
    expected = {**FAULTY, **HANGING}.get(kind)
    status = expected.status if expected else 400 if kind == "client-breaks-chunk" else 502
    if status:
        assert answer is not None, (kind, received)
        assert (answer.status, answer.whole) == (status, True), (kind, received)
        assert status != 200 or answer.body == b"good"
    else:
        # Cut off; or 502 as a whole, where head and fault came in one piece and nothing was passed on yet.
        assert answer is None or not answer.whole or answer.status == 502, (kind, received)


def drawn(count: int, chance: Random) -> Iterator[str]:
    """Kinds: mostly such as take no time."""
    quick = [*FAULTY, *REFUSED, *LEAVING]
    slow = [*HANGING]
    for _ in range(count):
        yield chance.choice(slow if chance.random() < 0.03 else quick)


def in_wheel(edge: Edge) -> int:
    return sum(len(slot) for slot in edge.wheel._slots.values())


def at_rest(edge: Edge) -> bool:
    sizes = [pool.sizes() for pool in edge.generation.pools]
    waiting = any(pool._connecting or pool._waiting for pool in edge.generation.pools)
    return not edge.connections and not waiting and all(total == idle for total, idle, _ in sizes)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("ERROR")


async def test_ten_thousand_faults_leave_nothing_behind(tmp_path: Path) -> None:
    chance = Random(7)
    async with edge_among_faults(tmp_path) as running:
        edge = running.edge
        subject = LoopSubject(running.port, edge.snapshot)
        asked: Counter[str] = Counter()

        async def ask(kinds: Iterator[tuple[int, str]]) -> None:
            for number, kind in kinds:
                asked[kind] += 1
                await one(running.port, kind, number, chance)

        async def soak(count: int) -> int:
            kinds = iter(enumerate(drawn(count, chance)))
            await asyncio.gather(*(ask(kinds) for _ in range(AT_ONCE)))
            await until(lambda: at_rest(edge))
            gc.collect()
            return subject.rss()

        rss = await soak(FAULTS * 3 // 10)
        tasks = len(asyncio.all_tasks())
        descriptors = subject.descriptors() - sum(pool.sizes()[0] for pool in edge.generation.pools) * 2
        grown = await soak(FAULTS * 7 // 10) - rss

        assert sum(asked.values()) == FAULTS
        assert min(asked[kind] for kind in FAULTY) > 100
        assert min(asked[kind] for kind in HANGING) > 30
        # Each is accounted for once, whatever became of it.
        assert sum(running.requests().values()) == FAULTS
        assert running.counted("banyan_edge_decisions_total") == FAULTS
        gauges = await subject.gauges()
        assert gauges["banyan_edge_connections"] == gauges["banyan_edge_tunnels"] == 0
        assert in_wheel(edge) == 0
        assert len(asyncio.all_tasks()) <= tasks
        open_now = subject.descriptors() - sum(pool.sizes()[0] for pool in edge.generation.pools) * 2
        assert open_now <= descriptors + 8
        assert grown < 15_000_000
        assert subject.complaints() == []
