# SPDX-License-Identifier: AGPL-3.0-or-later
"""A repeated request is the user's own, marked, and whatever comes back is an observation."""

from __future__ import annotations

import asyncio

import pytest

from proxy.experiment.ask import Answer, Asker, repeated
from proxy.experiment.observation import Failure
from proxy.routing.table import Address
from tests.proxytest.backend import Asked, Script, ScriptedBackend, always, answer, backends
from tests.proxytest.client import get


def test_leaves_out_what_would_change_the_answer() -> None:
    head = get(
        "/a%2Fb?x=%20",
        "Cookie: _loomio=1",
        'If-None-Match: W/"x"',
        "If-Modified-Since: yesterday",
        "Range: bytes=0-1",
        "If-Range: x",
        "Accept-Encoding: br;q=1.0, gzip;q=0.8",
        "Accept: application/json",
        host="loomio.test:8080",
    )
    assert repeated(head, b"mark") == (
        b"GET /a%2Fb?x=%20 HTTP/1.1\r\nHost: loomio.test:8080\r\nCookie: _loomio=1\r\nAccept: application/json\r\n"
        b"Accept-Encoding: gzip\r\nX-Banyan-Shadow: mark\r\n\r\n"
    )


@pytest.mark.parametrize("accepts", ["identity", "br", "gzip;q=0", ""])
def test_asks_for_no_gzip_that_the_user_would_not_have(accepts: str) -> None:
    assert b"Accept-Encoding" not in repeated(get("/", f"Accept-Encoding: {accepts}"), b"m")


async def asked(script: Script, *, limit: int = 1000, method: str = "GET", patience: float = 5.0) -> Answer:
    async with backends("side") as (side,):
        side.script = script
        asker = Asker((Address("127.0.0.1", side.port),))
        try:
            return await asker.ask(get("/", method=method), limit=limit, patience=patience)
        finally:
            asker.close()


def _then_closed(data: bytes) -> Script:
    async def script(_asked: Asked, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        writer.close()

    return script


async def _hangs(_asked: Asked, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (answer(b"hello"), b"hello"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nA: b\r\n\r\n",
            b"abcde",
        ),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(b"late"), b"late"),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", b""),
    ],
)
async def test_reads_every_framing(data: bytes, body: bytes) -> None:
    got = await asked(_then_closed(data))
    assert (got.failure, got.body) == (None, body)


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        (_then_closed(b""), Failure.RESET),
        (_then_closed(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), Failure.RESET),
        (_then_closed(b"nonsense\r\n\r\n"), Failure.MALFORMED),
        (_then_closed(b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n"), Failure.MALFORMED),
        (_then_closed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), Failure.MALFORMED),
        (always(answer(b"x" * 1001)), Failure.TOO_LARGE),
        (_then_closed(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 1001), Failure.TOO_LARGE),
        (_then_closed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3ea\r\n"), Failure.TOO_LARGE),
    ],
)
async def test_failures_are_observations(script: Script, failure: Failure) -> None:
    assert (await asked(script)).failure is failure


async def test_waits_no_longer_than_told() -> None:
    assert (await asked(_hangs, patience=0.05)).failure is Failure.TIMEOUT


async def test_nobody_there() -> None:
    side = ScriptedBackend("side")
    await side.start()
    await side.stop()
    asker = Asker((Address("127.0.0.1", side.port),))
    assert (await asker.ask(get("/"), limit=10, patience=5)).failure is Failure.UNREACHABLE


async def test_connections_are_used_again_and_a_stale_one_is_no_failure() -> None:
    async with backends("side") as (side,):
        asker = Asker((Address("127.0.0.1", side.port),))
        for _ in range(3):
            assert (await asker.ask(get("/"), limit=10, patience=5)).body == b"side"
        assert side.connections == 1
        await side.stop()
        await side.start()
        assert (await asker.ask(get("/"), limit=10, patience=5)).body == b"side"
        asker.close()


async def test_head_has_no_body() -> None:
    got = await asked(always(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"), method="HEAD")
    assert (got.failure, got.status, got.body) == (None, 200, b"")
