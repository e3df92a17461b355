# SPDX-License-Identifier: AGPL-3.0-or-later
"""The client notices what is wrong, and counts time from when a request was due."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from loadtests.bench.generator import IdleConnections, LoadError, arrivals, closed_loop, open_loop

BODY = b"0123456789"
GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n" + BODY
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@contextmanager
def _server(answer: Callable[[int], bytes]) -> Iterator[int]:
    """A server that answers request `n` (from 0) with `answer(n)`, in two pieces; nothing closes."""
    numbers = iter(range(1_000_000))

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(4096):
                said = answer(next(numbers))
                self.request.sendall(said[:20])
                self.request.sendall(said[20:])
                if not said:
                    return

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_a_closed_loop_asks_so_often() -> None:
    with _server(lambda _: GOOD) as port:
        assert len(closed_loop(port, BODY, [REQUEST], connections=3, count=50)) == 50
        assert closed_loop(port, BODY, [REQUEST], connections=2, seconds=0.05)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (GOOD.replace(b"200 OK", b"502 Bad Gateway"), "not 200"),
        (GOOD.replace(b"9", b"8"), "another body"),
        (GOOD.replace(b": 10", b": 9"), "another length"),
        (GOOD.replace(b"content-length", b"x-length"), "another length"),
        (b"", "closed"),
    ],
)
def test_a_wrong_answer_is_an_error(answer: bytes, why: str) -> None:
    with _server(lambda number: answer if number == 5 else GOOD) as port:
        with pytest.raises(LoadError, match=why):
            closed_loop(port, BODY, [REQUEST], connections=1, count=10)
        with pytest.raises(LoadError, match=why), _server(lambda _: answer) as wrong:
            open_loop(wrong, BODY, [REQUEST], connections=1, per_second=1000, seconds=0.1, seed=1)


def test_a_stall_counts_for_all_that_was_due_meanwhile() -> None:
    def answer(number: int) -> bytes:
        if number == 0:
            time.sleep(0.2)
        return GOOD

    with _server(answer) as port:
        latencies = open_loop(port, BODY, [REQUEST], connections=1, per_second=200, seconds=0.1, seed=1)
    assert len(latencies) == len(list(arrivals(200, 0.1, 1)))
    # All were due within the first 0.1 s and none could be sent in the first 0.2 s.
    assert min(latencies) > 0.09


def test_arrivals_are_the_same_for_a_seed_and_as_many_as_asked_for() -> None:
    moments = list(arrivals(1000, 10, 7))
    assert moments == list(arrivals(1000, 10, 7))
    assert moments == sorted(moments)
    assert moments[-1] < 10
    assert 9500 < len(moments) < 10_500


def test_idle_connections_were_used_and_stay() -> None:
    asked: list[int] = []

    def answer(number: int) -> bytes:
        asked.append(number)
        return GOOD

    with _server(answer) as port:
        with IdleConnections(port, BODY, [REQUEST], 5) as idle:
            assert idle.closed() == 0
        assert len(asked) == 5
