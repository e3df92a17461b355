# SPDX-License-Identifier: AGPL-3.0-or-later
"""A client in plain sockets. Every answer's status and body are compared with what they must be.

`select` waits with a precision of microseconds; the timers of asyncio and uvloop count whole milliseconds, which is
longer than what is to be measured. In the open loop requests fall due at moments drawn beforehand, and latency counts
from there: a proxy that stalls cannot make the client ask less.
"""

from __future__ import annotations

import random
import re
import select
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_PATIENCE: Final = 10.0


class LoadError(Exception):
    """Answers were wrong, missing or late."""


class Lane:
    """A keep-alive connection on which one request is under way or none."""

    def __init__(self, port: int, body: bytes) -> None:
        self._body = body
        self._received = b""
        self.due = 0.0
        self.socket = socket.create_connection(("127.0.0.1", port), _PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fileno(self) -> int:
        """For `select`."""
        return self.socket.fileno()

    def send(self, request: bytes, due: float) -> None:
        """Ask; `due` is when it should have been asked."""
        self.due = due
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Take what has arrived; whether that completes a right answer. Raises `LoadError` for a wrong one."""
        data = self.socket.recv(262144)
        received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if not data or (end >= 0 and not received.startswith(b"HTTP/1.1 200 ")):
            raise LoadError(f"connection closed, or not 200: {received[:80]!r}")
        if end < 0:
            self._received = received
            return False
        length = _LENGTH.search(received, 0, end + 2)
        if length is None or int(length[1]) != len(self._body):
            raise LoadError(f"another length than {len(self._body)}: {received[: end + 4]!r}")
        if len(received) - end - 4 < len(self._body):
            self._received = received
            return False
        if received[end + 4 :] != self._body:
            raise LoadError("another body than the origin's")
        self._received = b""
        return True


def _lanes(port: int, body: bytes, count: int) -> list[Lane]:
    return [Lane(port, body) for _ in range(count)]


def closed_loop(
    port: int,
    body: bytes,
    requests: Sequence[bytes],
    *,
    connections: int,
    seconds: float = 0.0,
    count: int = 0,
) -> list[float]:
    """Ask the next as soon as the last is answered, on each connection: for `seconds`, or `count` times in all.

    Answers the latencies in seconds, in the order of completion. Raises `LoadError`.
    """
    lanes = _lanes(port, body, connections)
    latencies: list[float] = []
    started = time.perf_counter()
    asked = 0

    def ask(lane: Lane, now: float) -> None:
        nonlocal asked
        if asked < count if count else now < started + seconds:
            lane.send(requests[asked % len(requests)], now)
            asked += 1

    try:
        for lane in lanes:
            ask(lane, time.perf_counter())
        while len(latencies) < asked:
            for lane in _ready(lanes, _PATIENCE):
                if lane.receive():
                    now = time.perf_counter()
                    latencies.append(now - lane.due)
                    ask(lane, now)
        return latencies
    finally:
        for lane in lanes:
            lane.socket.close()


def _ready(lanes: list[Lane], seconds: float) -> list[Lane]:
    ready = select.select(lanes, (), (), seconds)[0]
    if not ready and seconds >= _PATIENCE:
        raise LoadError(f"no answer within {_PATIENCE:g} s")
    return ready


def arrivals(per_second: float, seconds: float, seed: int) -> Iterator[float]:
    """Moments within `seconds` at which independent people would ask (exponential gaps)."""
    chance = random.Random(seed)
    moment = chance.expovariate(per_second)
    while moment < seconds:
        yield moment
        moment += chance.expovariate(per_second)


def open_loop(
    port: int,
    body: bytes,
    requests: Sequence[bytes],
    *,
    connections: int,
    per_second: float,
    seconds: float,
    seed: int,
) -> list[float]:
    """Ask at moments drawn beforehand, on any free connection; when none is free the request waits for one.

    Answers latencies in seconds from the drawn moment. Raises `LoadError`.
    """
    lanes = _lanes(port, body, connections)
    free = list(lanes)
    moments = deque(arrivals(per_second, seconds, seed))
    total = len(moments)
    latencies: list[float] = []
    started = time.perf_counter() + 0.01
    asked = 0
    try:
        while len(latencies) < total:
            now = time.perf_counter() - started
            while free and moments and moments[0] <= now:
                free.pop().send(requests[asked % len(requests)], moments.popleft())
                asked += 1
            wait = max(0.0, moments[0] - now) if free and moments else _PATIENCE
            for lane in _ready(lanes, wait):
                if lane.receive():
                    latencies.append(time.perf_counter() - started - lane.due)
                    free.append(lane)
        return latencies
    finally:
        for lane in lanes:
            lane.socket.close()


class IdleConnections:
    """Keep-alive connections that were used once each. Use as a context."""

    def __init__(self, port: int, body: bytes, requests: Sequence[bytes], count: int) -> None:
        self._lanes: list[Lane] = []
        for number in range(count):
            lane = Lane(port, body)
            self._lanes.append(lane)
            lane.send(requests[number % len(requests)], 0.0)
            while not lane.receive():
                pass

    def __enter__(self) -> IdleConnections:
        return self

    def __exit__(self, *_: object) -> None:
        for lane in self._lanes:
            lane.socket.close()

    def closed(self) -> int:
        """How many the server has closed, or said something on, since."""
        poll = select.poll()
        for lane in self._lanes:
            poll.register(lane.socket, select.POLLIN)
        return len(poll.poll(0))
