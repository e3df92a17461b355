# SPDX-License-Identifier: AGPL-3.0-or-later
"""At share 0 nobody can tell that there is an edge: what the recorded legacy answers directly and through it is equal
in status line, header list and de-framed body, but for what DECLARED names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from contracts.corpus import Corpus
from contracts.playback import Playback
from contracts.traffic import recorded_requests
from tests.proxytest.client import Message, RawClient
from tests.proxytest.edge import in_process_edge

ROOT = Path(__file__).parents[2]
HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"upgrade"}
# What may differ: headers of one hop, the request's id, the edge's own cookie.
DECLARED = HOP_BY_HOP | {b"x-request-id"}


def shipped_at_zero(legacy: str) -> str:
    """The shipped configuration with every share at 0 and both sides the recorded legacy."""
    text = (ROOT / "routing.yaml").read_text()
    text = re.sub(r"percent: [0-9.]+", "percent: 0", text)
    return text.replace("${LEGACY_URL}", legacy).replace("${PYTHON_URL}", legacy)


def visible(message: Message) -> tuple[bytes, list[bytes], bytes]:
    lines = []
    for line in message.lines:
        name, _, value = line.partition(b":")
        own_cookie = name == b"Set-Cookie" and value.startswith(b" banyan_bucket=")
        if name.lower() not in DECLARED and not own_cookie:
            lines.append(line)
    return message.start, lines, message.body


async def ask(port: int, data: bytes, clients: dict[int, RawClient]) -> Message:
    """One request on a kept connection, or on a new one where the last answer closed it."""
    client = clients.get(port)
    if client is None:
        client = clients[port] = await RawClient.open(port)
    got = await client.ask(data)
    assert got.complete
    if got.value(b"connection") == b"close" or got.start.startswith(b"HTTP/1.0"):
        client.writer.close()
        del clients[port]
    return got


def wire_pairs(corpus: Corpus) -> Iterator[tuple[str, bytes, bytes]]:
    """(name, what is sent through the edge, what is sent directly).

    HTTP/1.0 and `close` are a matter of one hop: behind the edge they are the plain exchange.
    """
    plain: dict[str, bytes] = {}
    for exchange in corpus.wire():
        request = exchange.request.encode("latin-1")
        if exchange.form == "plain":
            plain[exchange.id] = request
        direct = plain[exchange.id] if exchange.form in ("http/1.0", "close") else request
        yield f"{exchange.id} ({exchange.form})", request, direct


def read_pairs(corpus: Corpus) -> Iterator[tuple[str, bytes, bytes]]:
    for ready in recorded_requests(corpus):
        data = ready.head("loomio.test")
        yield ready.case.id, data, data


async def compare(pairs: Iterator[tuple[str, bytes, bytes]], corpus: Corpus, tmp_path: Path) -> int:
    (tmp_path / "routes.yaml").write_bytes((ROOT / "routes.yaml").read_bytes())
    clients: dict[int, RawClient] = {}
    different = []
    count = 0
    async with (
        Playback(corpus).serve("127.0.0.1", 0) as legacy,
        in_process_edge(shipped_at_zero(legacy.url), tmp_path) as edge,
    ):
        for name, through_edge, direct in pairs:
            expected = await ask(legacy.port, direct, clients)
            got = await ask(edge.port, through_edge, clients)
            count += 1
            if visible(got) != visible(expected):
                different.append((name, visible(got)[:2], visible(expected)[:2]))
        sides = {side for _, side in edge.requests()}
        for client in clients.values():
            client.writer.close()
    assert not different, different[:3]
    assert sides == {"legacy"}
    return count


async def test_raw_exchanges(tmp_path: Path) -> None:
    assert await compare(wire_pairs(Corpus.open()), Corpus.open(), tmp_path) > 1000


async def test_recorded_reads(tmp_path: Path) -> None:
    assert await compare(read_pairs(Corpus.open()), Corpus.open(), tmp_path) > 3000
