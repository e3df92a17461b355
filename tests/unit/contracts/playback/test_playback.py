# SPDX-License-Identifier: AGPL-3.0-or-later
"""The recorded legacy of a small corpus, over real connections."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.corpus import Corpus, CorpusError
from contracts.playback import Conduct, Fault, Faults, Outcome, Playback, Scripted, Server
from railscompat.cookies import EncryptedCookies, SignedCookies
from railscompat.session import user_of
from tests.unit.contracts.corpora import (
    SERVER_KEY,
    STORED,
    STORED_DIGEST,
    YAN,
    ZOE,
    exchange,
    read_case,
    session_of,
    write_corpus,
)

RECORDED_AT = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
COOKIE = {"path": "/", "httponly": False, "secure": False, "samesite": "", "expires": False}
SET_COOKIES = [
    {"name": "_loomio", **COOKIE, "httponly": True},
    {"name": "csrftoken", **COOKIE, "expires": True},
    {"name": "signed_in", **COOKIE, "expires": True, "deleted": True},
    {"name": "other", **COOKIE, "secure": True, "samesite": "lax"},
]
CACHED = {"content-type": "application/json", "cache-control": "max-age=0, private, must-revalidate"}


def request(
    target: str, *lines: str, method: str = "GET", version: str = "HTTP/1.1", body: str = ""
) -> bytes:
    accept = (
        () if any(line.lower().startswith("accept:") for line in lines) else ("Accept: application/json",)
    )
    return "\r\n".join([f"{method} {target} {version}", "Host: any", *accept, *lines, "", body]).encode()


def cookie(value: str, *others: str) -> str:
    return "Cookie: " + "; ".join([f"_loomio={value}", *others])


class Client:
    """One connection, read exactly."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        if data:
            self.writer.write(data)
        head = (await self.read_head()).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:])
        length = int(headers.get("content-length", 0))
        return int(head[0].split()[1]), headers, await self.reader.readexactly(length)

    async def read_head(self) -> bytes:
        return (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5))[:-4]

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(), 5)


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


@asynccontextmanager
async def playing(
    folder: Path, reads: list[dict[str, Any]], wire: list[dict[str, Any]] | None = None, **more: Any
) -> AsyncIterator[tuple[Server, Client]]:
    names = ("faults", "clock", "idle_seconds", "remember")
    settings = {name: more.pop(name) for name in names if name in more}
    playback = Playback(Corpus.open(write_corpus(folder, reads, wire, **more)), **settings)
    async with playback.serve("127.0.0.1", 0) as server, connected(server) as client:
        yield server, client


async def test_users_are_told_by_their_session_whatever_its_bytes(tmp_path: Path) -> None:
    reads = [read_case("/me", {"is": who}, actor=who) for who in ("anonymous", "zoe", "yan")]
    async with playing(tmp_path, reads) as (_, client):
        for line, who in [
            ("X: y", "anonymous"),
            (cookie(session_of(ZOE, 1)), "zoe"),
            (cookie(session_of(ZOE, 77), "banyan_bucket=5"), "zoe"),
            ("Cookie: a=b; _loomio=" + session_of(YAN, 5), "yan"),
            (cookie("rubbish"), "anonymous"),
            (cookie(session_of(ZOE, 1)[:-3]), "anonymous"),
        ]:
            status, _, body = await client.ask(request("/me", line))
            assert (status, json.loads(body)) == (200, {"is": who})


async def test_a_user_without_recorded_session_is_found_too(tmp_path: Path) -> None:
    reads = [read_case("/me", {"is": "zoe"}, actor="zoe")]
    async with playing(tmp_path, reads) as (_, client):
        assert (await client.ask(request("/me", cookie(session_of(31337, 3)))))[0] == 501


@pytest.mark.parametrize(
    "lost", [{"env": None}, {"env": {}}, {"env": {"SECRET_KEY_BASE": "x"}, "world": None}]
)
async def test_recorded_sessions_are_known_without_the_secret(tmp_path: Path, lost: dict[str, Any]) -> None:
    async with playing(tmp_path, [read_case("/me", 1, actor="zoe")], **lost) as (_, client):
        assert (await client.ask(request("/me", cookie(session_of(ZOE, 1)))))[0] == 200
        assert (await client.ask(request("/me", cookie(session_of(YAN, 2)))))[0] == 501


async def test_a_remember_me_cookie_holds_until_it_expires(tmp_path: Path) -> None:
    expires = RECORDED_AT + timedelta(days=14)
    value = SignedCookies(SERVER_KEY).sign(
        "remember_user_token", [[ZOE], "token", "1800000000.5"], expires_at=expires
    )
    line = f"Cookie: remember_user_token={value}"
    now = [RECORDED_AT]
    reads = [read_case("/me", "anonymous"), read_case("/me", "zoe", actor="zoe")]
    async with playing(tmp_path, reads, clock=lambda: now[0]) as (_, client):
        assert (await client.ask(request("/me", line)))[2] == b'"zoe"'
        now[0] = expires + timedelta(seconds=1)
        assert (await client.ask(request("/me", line)))[2] == b'"anonymous"'
    async with playing(tmp_path, reads) as (_, client):
        assert (await client.ask(request("/me", line)))[2] == b'"zoe"'


async def test_the_key_is_target_accept_language_and_authorization(tmp_path: Path) -> None:
    reads = [
        read_case("/a?x=%20&y", 1),
        read_case("/a?x=%20&y", 2, headers={"Accept": "text/html"}),
        read_case("/a?x=%20&y", 3, headers={"Accept-Language": "fr"}),
        read_case("/a?x=%20&y", 4, headers={"Authorization": "Bearer k"}),
    ]
    async with playing(tmp_path, reads) as (server, client):
        for lines, expected in [
            ((), b"1"),
            (("accept: text/html",), b"2"),
            (("accept-language: fr",), b"3"),
            (("authorization: Bearer k",), b"4"),
            (
                (
                    "X-Forwarded-For: 1.2.3.4",
                    "Forwarded: for=x",
                    "Via: 1.1 e",
                    "traceparent: 00-1",
                    "TE: gzip",
                ),
                b"1",
            ),
            (("User-Agent: other", "X-Request-Id: 5", "Accept-Encoding: gzip"), b"1"),
        ]:
            assert (await client.ask(request("/a?x=%20&y", *lines)))[::2] == (200, expected)
        for target, lines in [
            ("/a?x=+&y", ()),
            ("/a?y&x=%20", ()),
            ("/a?x=%20&y", ("Accept: */*",)),
            ("/a?x=%20&y", ("Accept-Language: de",)),
        ]:
            assert (await client.ask(request(target, *lines)))[0] == 501
        assert server.not_recorded == 4
        assert server.requests_seen == 10


async def test_what_was_never_recorded_is_refused_and_the_key_is_told(tmp_path: Path) -> None:
    async with playing(tmp_path, [read_case("/a", 1, actor="zoe")]) as (_, client):
        status, headers, body = await client.ask(request("/a", "Accept-Language: fr"))
        assert (status, headers["content-type"]) == (501, "application/json; charset=utf-8")
        told = json.loads(body)
        assert told["error"] == "not recorded"
        assert (
            told["looked_up"] | {"user": "anonymous", "target": "/a", "accept_language": "fr"}
            == told["looked_up"]
        )
        assert [one["user"] for one in told["recorded_for_this_target"]] == [ZOE]
        assert (await client.ask(request("/a", cookie(session_of(ZOE, 1)), method="POST")))[0] == 501
        body_of_get = request("/a", cookie(session_of(ZOE, 1)), "Content-Length: 1", body="x")
        assert (await client.ask(body_of_get))[0] == 501


async def test_a_read_has_its_recorded_headers_and_deterministic_cookies(tmp_path: Path) -> None:
    headers = {"content-type": "text/html", "location": "http://x.test/ü", "set-cookie": SET_COOKIES}
    reads = [
        read_case("/a", None, actor=actor, status=302, answer_headers=headers)
        for actor in ("anonymous", "zoe")
    ]
    async with playing(tmp_path, reads) as (_, client):
        client.writer.write(request("/a"))
        head = await client.read_head()
        assert head.startswith(b"HTTP/1.1 302 Found\r\n")
        lines = head.decode().split("\r\n")[1:]
        assert lines[:2] == ["content-type: text/html", "location: http://x.test/ü"]
        session, csrf, deleted, other = (line.removeprefix("set-cookie: ") for line in lines[2:6])
        assert lines[6:] == ["content-length: 0"]
        value, _, attributes = session.removeprefix("_loomio=").partition("; ")
        nobody = EncryptedCookies(SERVER_KEY).decrypt("_loomio", value)
        assert user_of(nobody) is None
        assert attributes == "path=/; httponly"
        assert csrf.endswith("; path=/; expires=Tue, 04 Feb 2031 04:05:06 GMT")
        assert deleted == "signed_in=; path=/; max-age=0; expires=Thu, 01 Jan 1970 00:00:00 GMT"
        assert other.endswith("; path=/; secure; samesite=lax")
        client.writer.write(request("/a"))
        assert await client.read_head() == head
        client.writer.write(request("/a", cookie(session_of(ZOE, 1))))
        own = (await client.read_head()).decode()
        assert f"set-cookie: _loomio={session_of(ZOE, 1)}; path=/; httponly" in own


async def test_validators_and_head(tmp_path: Path) -> None:
    reads = [read_case("/a", {"a": 1}, answer_headers=CACHED), read_case("/b", {"b": 1})]
    async with playing(tmp_path, reads) as (_, client):
        _, headers, body = await client.ask(request("/a"))
        etag = headers["etag"]
        assert etag.startswith('W/"')
        assert body == b'{"a":1}'
        status, headers, _ = await client.ask(request("/a", f"If-None-Match: {etag}"))
        assert (status, headers["etag"], headers["content-length"]) == (304, etag, "0")
        assert "content-type" not in headers
        assert (await client.ask(request("/a", 'If-None-Match: W/"other"')))[0] == 200
        status, headers, _ = await client.ask(request("/a", method="HEAD"))
        assert (status, headers["etag"], headers["content-type"]) == (200, etag, "application/json")
        assert "etag" not in (await client.ask(request("/b")))[1]


async def test_stored_files_are_played_to_the_byte_and_missed_ones_told(tmp_path: Path) -> None:
    reads = [
        read_case("/stored", {"$binary": {"sha256": STORED_DIGEST, "length": len(STORED)}}),
        read_case("/lost", {"$binary": {"sha256": hashlib.sha256(b"lost").hexdigest(), "length": 4}}),
    ]
    async with playing(tmp_path, reads) as (_, client):
        assert (await client.ask(request("/stored")))[2] == STORED
        status, _, body = await client.ask(request("/lost"))
        assert (status, json.loads(body)["error"]) == (501, "not playable")


PLAIN = "HTTP/1.1 200 Fine\r\nb-Header: 1\r\na-header:2\r\ncontent-length: 2\r\n\r\n\xff1"
GZIP = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


def asks(*lines: str, start: str = "GET /w HTTP/1.1", body: str = "") -> str:
    return "\r\n".join([start, "Host: x", "Accept: application/json", *lines, "", body])


async def played(client: Client, asked: str, expected: str) -> bool:
    client.writer.write(asked.encode())
    return await asyncio.wait_for(client.reader.readexactly(len(expected)), 5) == expected.encode("latin-1")


async def test_exchanges_win_and_are_played_byte_for_byte(tmp_path: Path) -> None:
    unchanged = "HTTP/1.1 304 Not Modified\r\netag: e\r\n\r\n"
    head = "HTTP/1.1 200 OK\r\nx: head\r\ncontent-length: 0\r\n\r\n"
    wire = [
        exchange(asks(), PLAIN),
        exchange(asks("Accept-Encoding: gzip, br"), GZIP, form="gzip"),
        exchange(asks("If-None-Match: e"), unchanged, form="not modified"),
        exchange(asks(start="HEAD /w HTTP/1.1"), head, form="head"),
    ]
    async with playing(tmp_path, [read_case("/w", 1)], wire) as (_, client):
        assert await played(client, asks(), PLAIN)
        assert await played(client, asks("Accept-Encoding: deflate, gzip;q=0.5"), GZIP)
        assert await played(client, asks("Accept-Encoding: gzip;q=0"), PLAIN)
        assert await played(client, asks("Accept-Encoding: br"), PLAIN)
        assert await played(client, asks("If-None-Match: e"), unchanged)
        assert await played(client, asks("If-None-Match: other"), PLAIN)
        assert await played(client, asks(start="HEAD /w HTTP/1.1"), head)


async def test_forms_of_the_connection_are_played_or_made(tmp_path: Path) -> None:
    closing = "HTTP/1.1 200 OK\r\nx: recorded\r\nconnection: close\r\ncontent-length: 1\r\n\r\nc"
    old = "HTTP/1.0 200 OK\r\nx: recorded\r\ncontent-length: 1\r\n\r\no"
    wire = [
        exchange(asks("Connection: close"), closing, form="close"),
        exchange(asks(start="GET /w HTTP/1.0"), old, form="http/1.0"),
        exchange(asks(), PLAIN),
        exchange(asks("Accept-Encoding: gzip"), GZIP),
    ]
    async with playing(tmp_path, [read_case("/r", 1)], wire) as (server, client):
        assert await played(client, asks(), PLAIN)

        async def whole(data: str) -> bytes:
            async with connected(server) as fresh:
                fresh.writer.write(data.encode())
                return await fresh.rest()

        assert await whole(asks("Connection: close")) == closing.encode()
        assert await whole(asks(start="GET /w HTTP/1.0")) == old.encode()
        made = await whole(asks("Accept-Encoding: gzip", start="GET /w HTTP/1.0"))
        assert made == b"HTTP/1.0 200 OK\r\n\r\nabcde"
        made = await whole(asks("Accept-Encoding: gzip", "Connection: close"))
        assert made == GZIP.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1).encode()
        assert (await whole(asks("Connection: close", start="GET /r HTTP/1.1"))).endswith(
            b"connection: close\r\n\r\n1"
        )
        assert (await whole(asks(start="GET /nothing HTTP/1.0"))).startswith(b"HTTP/1.0 501 ")


async def test_only_closing_forms_do_not_answer_a_kept_connection(tmp_path: Path) -> None:
    wire = [exchange(asks("Connection: close"), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", form="close")]
    async with playing(tmp_path, [read_case("/r", 1)], wire) as (_, client):
        assert (await client.ask(asks().encode()))[0] == 501


async def test_writes_are_told_apart_by_body_and_by_the_token_against_forgery(tmp_path: Path) -> None:
    refused = "HTTP/1.1 422 No\r\ncontent-length: 0\r\n\r\n"
    done = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone"
    post = "POST /w HTTP/1.1"
    right = ("X-CSRF-TOKEN: t", "Cookie: csrftoken=t", "Content-Length: 2")
    wrong = ("X-CSRF-TOKEN: wrong", "Cookie: csrftoken=t", "Content-Length: 2")
    wire = [
        exchange(asks(*right, start=post, body="{}"), done),
        exchange(asks(*wrong, start=post, body="{}"), refused, form="refused write"),
    ]
    async with playing(tmp_path, [read_case("/r", 1)], wire) as (_, client):
        assert await played(client, asks(*right, start=post, body="{}"), done)
        other = ("X-CSRF-TOKEN: other", "Cookie: csrftoken=other", "Transfer-Encoding: chunked")
        assert await played(client, asks(*other, start=post, body="2\r\n{}\r\n0\r\n\r\n"), done)
        assert await played(
            client, asks("X-CSRF-TOKEN: any", "Content-Length: 2", start=post, body="{}"), refused
        )
        assert (await client.ask(asks(*right, start=post, body="[]").encode()))[0] == 501


async def test_a_recorded_sign_in_answers_its_own_session(tmp_path: Path) -> None:
    """What was recorded after a sign-in (a count that went up) is not what the actor's own session sees."""
    after = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nsigned 2"
    out = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nout"
    signed_in = cookie(session_of(ZOE, 50), "csrftoken=t")
    leave = ("X-CSRF-TOKEN: t", "Content-Length: 0")
    wire = [
        exchange(asks(signed_in), after, actor="zoe", form="signed in"),
        exchange(asks(signed_in, *leave, start="DELETE /w HTTP/1.1"), out, actor="zoe", form="sign out"),
    ]
    async with playing(tmp_path, [read_case("/w", "signed 1", actor="zoe")], wire) as (_, client):
        assert await played(client, asks(signed_in), after)
        for salt in (1, 51):
            assert (await client.ask(asks(cookie(session_of(ZOE, salt))).encode()))[2] == b'"signed 1"'
        # Renewed since: still the same person, and there is nothing else to answer with.
        renewed = cookie(session_of(ZOE, 52), "csrftoken=t")
        assert await played(client, asks(renewed, *leave, start="DELETE /w HTTP/1.1"), out)


async def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    reads = [read_case(f"/{number}", number) for number in range(10)]
    async with playing(tmp_path, reads) as (server, client):
        client.writer.write(b"".join(request(f"/{number}") for number in range(10)))
        for number in range(10):
            assert (await client.ask(b""))[2] == str(number).encode()
        assert server.connections_made == 1
        assert [asked.target for asked in server.seen] == [f"/{number}" for number in range(10)]


async def test_a_client_that_reads_late_gets_everything(tmp_path: Path) -> None:
    big = read_case("/big", {"a": "x" * 1_000_000})
    async with playing(tmp_path, [big]) as (_, client):
        client.writer.write(request("/big") * 30)
        for _ in range(30):
            assert len((await client.ask(b""))[2]) == 1_000_008


async def test_only_the_latest_requests_are_remembered(tmp_path: Path) -> None:
    async with playing(tmp_path, [read_case("/a", 1)], remember=2) as (server, client):
        for number in range(4):
            await client.ask(request("/a", f"X: {number}"))
        assert [asked.headers["x"] for asked in server.seen] == ["2", "3"]
        assert server.requests_seen == 4


async def test_a_half_closed_client_still_gets_its_answer(tmp_path: Path) -> None:
    late = Scripted(lambda asked: Outcome(delay=0.05))
    async with playing(tmp_path, [read_case("/a", 1)], faults=late) as (_, client):
        client.writer.write(request("/a"))
        client.writer.write_eof()
        assert (await client.ask(b""))[2] == b"1"
        assert await client.rest() == b""


async def test_leave_to_send_a_body_is_given(tmp_path: Path) -> None:
    wire = [exchange(asks("Content-Length: 2", start="POST /w HTTP/1.1", body="{}"), PLAIN)]
    async with playing(tmp_path, [read_case("/r", 1)], wire) as (_, client):
        client.writer.write(
            asks("Content-Length: 2", "Expect: 100-continue", start="POST /w HTTP/1.1").encode()
        )
        assert await client.read_head() == b"HTTP/1.1 100 Continue"
        assert await played(client, "{}", PLAIN)


async def test_malformed_requests_end_the_connection(tmp_path: Path) -> None:
    async with playing(tmp_path, [read_case("/a", 1)]) as (server, client):
        status, headers, _ = await client.ask(b"GET / HTTP/1.1\r\nbroken\r\n\r\n")
        assert (status, headers["connection"]) == (400, "close")
        assert await client.rest() == b""
        assert server.requests_seen == 0


async def test_idle_connections_are_closed_without_a_word_and_busy_ones_are_not(tmp_path: Path) -> None:
    slow = Scripted(lambda asked: Outcome(delay=0.4 if asked.target == "/slow" else 0.0))
    reads = [read_case("/a", 1), read_case("/slow", 2)]
    async with playing(tmp_path, reads, faults=slow, idle_seconds=0.1) as (server, client):
        assert (await client.ask(request("/a")))[0] == 200
        assert await client.rest() == b""
        async with connected(server) as fresh:
            assert (await fresh.ask(request("/slow")))[2] == b"2"


def only(fault: Fault) -> Conduct:
    return Scripted(lambda asked: Outcome(0.0, fault))


CASE = read_case("/a", {"a": "x" * 1000})


async def test_an_error_is_well_formed(tmp_path: Path) -> None:
    async with playing(tmp_path, [CASE], faults=only(Fault.ERROR)) as (_, client):
        status, _, body = await client.ask(request("/a"))
        assert (status, json.loads(body)["error"]) == (500, "Internal Server Error")
        assert (await client.ask(request("/a")))[0] == 500


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.STALL])
async def test_silence_keeps_the_connection_open(tmp_path: Path, fault: Fault) -> None:
    async with playing(tmp_path, [CASE], faults=only(fault), idle_seconds=0.05) as (_, client):
        client.writer.write(request("/a"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.readexactly(2_000), 0.3)
        assert not client.reader.at_eof()


async def test_a_cut_answer_ends_in_good_order(tmp_path: Path) -> None:
    async with playing(tmp_path, [CASE], faults=only(Fault.CUT)) as (_, client):
        client.writer.write(request("/a"))
        head, _, body = (await client.rest()).partition(b"\r\n\r\n")
        assert b"content-length: 1008" in head
        assert len(body) == 504


async def test_a_reset_answer_arrives_half_then_breaks(tmp_path: Path) -> None:
    async with playing(tmp_path, [CASE], faults=only(Fault.RESET)) as (_, client):
        client.writer.write(request("/a"))
        await client.read_head()
        assert len(await client.reader.readexactly(504)) == 504
        with pytest.raises(ConnectionResetError):
            await client.rest()


async def test_a_dropped_request_and_a_refused_connection_break_at_once(tmp_path: Path) -> None:
    async with playing(tmp_path, [CASE], faults=only(Fault.DROP)) as (_, client):
        client.writer.write(request("/a"))
        with pytest.raises(ConnectionResetError):
            await client.rest()
    async with playing(tmp_path, [CASE], faults=Faults(refused=1.0)) as (server, client):
        with pytest.raises(ConnectionResetError):
            await client.rest()
        assert server.requests_seen == 0


async def test_garbage_is_not_http(tmp_path: Path) -> None:
    async with playing(tmp_path, [CASE], faults=only(Fault.GARBAGE)) as (_, client):
        client.writer.write(request("/a"))
        assert not (await client.rest()).startswith(b"HTTP/")


async def test_nothing_listens_afterwards(tmp_path: Path) -> None:
    async with playing(tmp_path, [CASE]) as (server, client):
        assert server.url == f"http://127.0.0.1:{server.port}"
        await client.ask(request("/a"))
    assert await client.rest() == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)


@pytest.mark.parametrize("broken", ["GET /w HTTP/1.1\r\n", "rubbish\r\n\r\n", asks() + "more", "\u0394"])
def test_a_broken_exchange_is_named(tmp_path: Path, broken: str) -> None:
    write_corpus(tmp_path, [read_case("/a", 1)], [exchange(broken, PLAIN)])
    with pytest.raises(CorpusError, match="exchange 'plain anonymous'"):
        Playback(Corpus.open(tmp_path))
