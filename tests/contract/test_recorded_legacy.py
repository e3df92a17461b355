# SPDX-License-Identifier: AGPL-3.0-or-later
"""The project's own recordings, played back and compared: all of them, over raw sockets."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from contracts.compare import Answer, differences
from contracts.corpus import OWN_COPY, Corpus, Exchange, Read
from contracts.playback import Playback, Server
from contracts.traffic import ReadyRequest, ready, recorded_requests
from railscompat.cookies import EncryptedCookies
from railscompat.session import SESSION_COOKIE, USER_KEY, user_of


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """The project's own recordings."""
    return Corpus.open()


@pytest.fixture(scope="module")
def playback(corpus: Corpus) -> Playback:
    """The recorded legacy, indexed once."""
    return Playback(corpus)


@pytest.fixture
async def server(playback: Playback) -> AsyncIterator[Server]:
    """The recorded legacy, listening."""
    async with playback.serve("127.0.0.1", 0) as server:
        yield server


class Client:
    """One connection, read exactly."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def exact(self, request: bytes, length: int) -> bytes:
        """The first `length` bytes of what comes back, or what there is."""
        self._writer.write(request)
        async with asyncio.timeout(10):
            try:
                return await self._reader.readexactly(length)
            except asyncio.IncompleteReadError as error:
                return error.partial

    async def ask(self, request: bytes, *, body: bool = True) -> Answer:
        """The answer to a request."""
        self._writer.write(request)
        async with asyncio.timeout(10):
            head = await self._reader.readuntil(b"\r\n\r\n")
        answer = parsed(head)
        length = int(dict(answer.headers)["content-length"]) if body else 0
        return Answer(answer.status, answer.headers, await self.exact(b"", length))

    async def rest(self, request: bytes = b"") -> bytes:
        """All that comes back until the other side ends the connection."""
        self._writer.write(request)
        async with asyncio.timeout(10):
            return await self._reader.read()


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[Client]:
    """A connection to the recorded legacy."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


def parsed(message: bytes) -> Answer:
    """Bytes of an answer, taken apart."""
    head, _, body = message.partition(b"\r\n\r\n")
    start, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return Answer(int(start.split()[1]), headers, body)


async def replayed(corpus: Corpus, server: Server) -> Counter[str]:
    """How many exchanges of each form come back otherwise than recorded."""
    wrong: Counter[str] = Counter()
    async with connected(server) as client:
        for exchange in corpus.wire():
            request, response = exchange.request.encode("latin-1"), exchange.response.encode("latin-1")
            if exchange.form in ("http/1.0", "close"):
                async with connected(server) as other:
                    wrong[exchange.form] += await other.rest(request) != response
            else:
                wrong[exchange.form] += await client.exact(request, len(response)) != response
        # Nothing but those bytes was sent.
        last = await client.rest(b"GET /nothing HTTP/1.0\r\n\r\n")
        assert last.startswith(b"HTTP/1.0 501 ")
    return wrong


async def differing(corpus: Corpus, server: Server) -> dict[str, list[str]]:
    """The recorded reads whose answers differ in meaning, and how."""
    wrong = {}
    async with connected(server) as client:
        for request in recorded_requests(corpus):
            # What a proxy adds makes no difference.
            added = ("X-Forwarded-For", "192.0.2.1"), ("X-Request-Id", "x"), ("Via", "1.1 edge")
            answer = await client.ask(request.head("any.test", *added))
            if found := differences(request.case, answer):
                wrong[request.case.id] = [str(one) for one in found]
    return wrong


async def test_every_exchange_is_played_back_byte_for_byte(corpus: Corpus, server: Server) -> None:
    wrong = await replayed(corpus, server)
    assert wrong.total() == 0, wrong
    assert len(wrong) > 5


async def test_every_recorded_read_says_what_was_recorded(corpus: Corpus, server: Server) -> None:
    assert await differing(corpus, server) == {}
    assert server.requests_seen > 1_000
    assert server.not_recorded == 0


async def test_every_recorded_read_can_be_asked_for_its_head(corpus: Corpus, server: Server) -> None:
    async with connected(server) as client:
        for request in recorded_requests(corpus):
            head = request.head("any.test").replace(b"GET ", b"HEAD ", 1)
            answer = await client.ask(head, body=False)
            assert answer.status == request.case.response.status


def moved_elsewhere(corpus: Corpus, folder: Path) -> Corpus:
    """Part of the corpus as another server would have recorded it: other secret, ids, names, host and words."""
    old, new = EncryptedCookies(corpus.env["SECRET_KEY_BASE"]), EncryptedCookies("other " * 10)
    values, sessions = {}, {}
    for number, (actor, cookies) in enumerate(corpus.sessions.items()):
        value = cookies.get(SESSION_COOKIE)
        if value is not None:
            content = old.decrypt(SESSION_COOKIE, value)
            user = user_of(content)
            assert isinstance(content, dict)
            assert user is not None
            content = {**content, USER_KEY: [[user.id + 50_000], user.password_salt]}
            values[value] = new.encrypt(SESSION_COOKIE, content, nonce=number.to_bytes(12, "big"))
        sessions[f"x{actor}"] = {name: values.get(value, value) for name, value in cookies.items()}

    def moved(record: Read | Exchange) -> str:
        # Words of the same length, so that recorded lengths stay right.
        text = msgspec.json.encode(record).decode()
        text = re.sub("orchard", "meadows", text.replace("loomio.test", "meadow.test"), flags=re.IGNORECASE)
        for value in re.findall(r"_loomio=([^; \\]+)", text):
            text = text.replace(value, values.get(value, value))
        return text.replace(f'"actor":"{record.actor}"', f'"actor":"x{record.actor}"') + "\n"

    folder.mkdir()
    (folder / "reads.jsonl").write_text("".join(map(moved, islice(corpus.reads(), 0, None, 9))))
    (folder / "wire.jsonl").write_text("".join(map(moved, islice(corpus.wire(), 300))))
    (folder / "sessions.json").write_text(json.dumps(sessions))
    (folder / "env.json").write_text(json.dumps({"SECRET_KEY_BASE": "other " * 10}))
    actors = {f"x{name}": {"id": actor.id + 50_000} for name, actor in corpus.world.actors.items()}
    (folder / "world.json").write_text(json.dumps({"actors": actors}))
    return Corpus.open(folder)


async def test_recordings_of_another_server_are_played_as_well(corpus: Corpus, tmp_path: Path) -> None:
    other = moved_elsewhere(corpus, tmp_path / "elsewhere")
    async with Playback(other).serve("127.0.0.1", 0) as server:
        assert (await replayed(other, server)).total() == 0
        assert await differing(other, server) == {}
        assert server.requests_seen > 500
        async with connected(server) as client:
            # To this server the first one's sessions are nobody's.
            own = next(request for request in recorded_requests(corpus) if request.actor != "anonymous")
            nobody = ready(own.case, {})
            assert await client.ask(own.head("any.test")) == await client.ask(nobody.head("any.test"))


def other_facts(request: ReadyRequest) -> bytes | None:
    """The recorded answer with one number, or else one word, changed: it must not pass."""
    body = bytes(request.case.response.body)
    for old, new in ((b": 1,", b": 1000001,"), (b"null", b"7"), (b"true", b"false"), (b'"id"', b'"uid"')):
        if (
            old in body
            and b"$" not in body
            and request.case.response.status == 200
            and not request.case.noise
        ):
            return body.replace(old, new)
    return None


def test_changed_answers_do_not_pass(corpus: Corpus) -> None:
    caught, missed = 0, []
    for request in recorded_requests(corpus):
        changed = other_facts(request)
        if changed is None:
            continue
        headers = list(request.case.response.plain_headers.items())
        if differences(request.case, Answer(200, headers, changed)):
            caught += 1
        else:
            missed.append(request.case.id)
    assert missed == []
    assert caught > 100


def test_real_answers_on_the_wire_equal_the_recorded_reads(corpus: Corpus) -> None:
    """The plain exchanges are real answers, in the product's own words: reads and rules must agree with them."""
    reads = {(case.actor, case.request.path): case for case in corpus.reads() if not case.request.headers}
    compared = 0
    for exchange in corpus.wire():
        case = reads.get((exchange.actor, exchange.request.split(" ")[1]))
        if exchange.form != "plain" or case is None:
            continue
        found = [str(one) for one in differences(case, parsed(exchange.response.encode("latin-1")))]
        assert found == [], (case.id, found)
        compared += 1
    assert compared > 100


def test_the_recordings_stay_small() -> None:
    size = sum(path.stat().st_size for path in OWN_COPY.rglob("*") if path.is_file())
    assert size < 15 * 1024 * 1024


def test_a_playback_needs_little_memory() -> None:
    """Indexing keeps bodies undecoded: what it allocates at most fits in 200 MB."""
    script = (
        "import tracemalloc; from contracts.corpus import Corpus; from contracts.playback import Playback;"
        "tracemalloc.start(); Playback(Corpus.open()); print(tracemalloc.get_traced_memory()[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(done.stdout) < 200 * 1024 * 1024
