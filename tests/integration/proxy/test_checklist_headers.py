# SPDX-License-Identifier: AGPL-3.0-or-later
"""Headers and targets: what goes through byte by byte, what belongs to one hop, who may speak of the client."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proxytest.backend import always, answer
from tests.proxytest.client import Message, connect, fetch, get
from tests.proxytest.edge import InProcessEdge, two_sides

MOVED = "all: {percent: 100, routes: [GET /moved, GET /moved/:id]}"


def raw(*lines: bytes, target: bytes = b"/", method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    """A request with these raw header lines."""
    return b"\r\n".join([method + b" " + target + b" HTTP/" + version, *lines, b"\r\n"])


def named(message: Message, *names: bytes) -> list[bytes]:
    """The header lines with these names, in their order."""
    return [line for line in message.lines if line.partition(b":")[0].lower() in names]


def own_lines(message: Message) -> list[bytes]:
    """The lines that come from the sender: without what the edge adds behind them."""
    added = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded", b"x-request-id")
    return [line for line in message.lines if line.partition(b":")[0].lower() not in added]


# -- one hop --------------------------------------------------------------------------------------------------

HOP_LINES = (
    b"Connection: close, X-Mine , x-other",
    b"connection: keep-alive, X-Third,",
    b"Keep-Alive: timeout=5",
    b"Proxy-Connection: keep-alive",
    b"Proxy-Authorization: Basic eA==",
    b"TE: trailers, deflate",
    b"Trailer: X-Checksum",
    b"Upgrade: h2c, websocket",
    b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    b"X-Mine: 1",
    b"X-OTHER: 2",
    b"x-third: 3",
)


async def test_what_belongs_to_one_hop_or_is_nominated_is_dropped_towards_the_backend(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        await fetch(edge.port, raw(b"Host: a", b"X-Kept: 1", *HOP_LINES, b"X-Kept: 2"))
        assert own_lines(legacy.asked[0].message) == [b"Host: a", b"X-Kept: 1", b"X-Kept: 2"]


async def test_what_belongs_to_one_hop_or_is_nominated_is_dropped_towards_the_client(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        lines = [line for line in HOP_LINES if not line.startswith(b"Proxy-Auth")]
        legacy.script = always(
            b"\r\n".join([b"HTTP/1.1 200 OK", b"X-Kept: 1", *lines, b"Content-Length: 2", b"\r\nok"])
        )
        got = await fetch(edge.port, get("/"))
        assert (got.lines, got.body) == ([b"X-Kept: 1", b"Content-Length: 2"], b"ok")


PROTECTED = (
    b"Host: a.test",
    b"Content-Length: 3",
    b"Content-Type: text/plain",
    b"Cookie: a=1",
    b"Authorization: Basic eA==",
    b"Cache-Control: no-cache",
)


async def test_connection_cannot_nominate_what_the_request_lives_on(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        options = (
            b"Host, Content-Length, Content-Type, Cookie, Authorization, Cache-Control, X-Request-Id, Via"
        )
        spoken = b", X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, Forwarded, X-Real-IP"
        ask = raw(*PROTECTED, b"Connection: " + options + spoken, b"X-Request-Id: mine-1", method=b"POST")
        assert (await fetch(edge.port, ask + b"abc")).status == 200
        sent = legacy.asked[0].message
        assert own_lines(sent) == list(PROTECTED)
        assert sent.body == b"abc"
        assert sent.value(b"x-request-id") == b"mine-1"
        assert sent.value(b"x-forwarded-for") == b"127.0.0.1"
        assert sent.value(b"x-forwarded-host") == b"a.test"


async def test_an_answer_cannot_nominate_what_it_lives_on(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        kept = [b"Content-Type: text/html", b"Set-Cookie: a=1", b"Set-Cookie: b=2", b"Content-Length: 2"]
        nominating = b"Connection: Content-Type, Set-Cookie, Content-Length, Content-Encoding"
        legacy.script = always(b"\r\n".join([b"HTTP/1.1 200 OK", *kept, nominating, b"\r\nok"]))
        got = await fetch(edge.port, get("/"))
        assert (got.lines, got.body) == (kept, b"ok")


# -- bytes ----------------------------------------------------------------------------------------------------

ODD_LINES = [
    b"x-b:1",
    b"X-B:   2  ",
    b"X-Empty:",
    b"X-Tab:\ta\tb",
    b"x-b: 3",
    b"X-Latin: caf\xe9 \xff",
    b"X-Utf: \xf0\x9f\x8c\xb3",
    b'X-Quotes: "a\\" , b"; c=\'d\'',
    b"!#$%&'*+-.^_`|~09aZ: odd but a token",
    b"X-B: 4",
    b"Range: bytes=0-1, -2",
    b'If-None-Match: W/"a", "b"',
    b"Accept-Encoding: br;q=1.0, gzip;q=0",
]


async def test_lines_keep_order_duplicates_and_bytes_both_ways(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        cookies = [
            b"Set-Cookie: a=1; Path=/",
            b"set-cookie: b=2",
            b"SET-COOKIE: a=3; Expires=Wed, 09 Jun 2021 10:18:14 GMT",
        ]
        sent = [*ODD_LINES[:5], cookies[0], *ODD_LINES[5:9], cookies[1], *ODD_LINES[9:], cookies[2]]
        legacy.script = always(
            b"\r\n".join([b"HTTP/1.1 299 Odd \xe9 ", *sent, b"content-length:  1 ", b"\r\nx"])
        )
        for _ in range(2):  # a line that came before is known, and goes the same way
            got = await fetch(edge.port, raw(*ODD_LINES, b"host:a"))
            assert got.start == b"HTTP/1.1 299 Odd \xe9 "
            assert got.lines == [*sent, b"content-length:  1 "]
        for asked in legacy.asked:
            assert own_lines(asked.message) == [*ODD_LINES, b"host:a"]


# -- who speaks of the client ---------------------------------------------------------------------------------

SPOKEN = (
    b"X-Forwarded-For: 6.6.6.6",
    b"X-Forwarded-Proto: https",
    b"X-Forwarded-Host: evil.test",
    b"X-Forwarded-Port: 666",
    b"X-Forwarded-Ssl: on",
    b"X-Forwarded-Scheme: https",
    b"X-Forwarded-Anything: 1",
    b"Forwarded: for=6.6.6.6;proto=https",
    b"X-Real-IP: 6.6.6.6",
    b"Client-IP: 6.6.6.6",
    b"X-Client-IP: 6.6.6.6",
    b"X_Forwarded_For: 6.6.6.6",
    b"X-Forwarded_For: 6.6.6.6",
    b"X_REAL_IP: 6.6.6.6",
    b"Client_IP: 6.6.6.6",
    b"X-Banyan-Shadow: 1",
    b"x_banyan_shadow: 1",
    b"X-Banyan-Anything: 1",
    b"Content_Length: 7",
    b"Content_Type: text/evil",
    b"X_Request_Id: 7",
)
DROPPED_ALWAYS = (b"x-banyan-", b"x_", b"content_", b"client_", b"x-forwarded_", b"x-forwarded-anything")


async def test_a_client_cannot_speak_of_itself_or_for_the_edge(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        await fetch(edge.port, raw(b"Host: a.test", *SPOKEN))
        message = legacy.asked[0].message
        assert own_lines(message) == [b"Host: a.test"]
        assert named(
            message, b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded"
        ) == [
            b"X-Forwarded-For: 127.0.0.1",
            b"X-Forwarded-Proto: http",
            b"X-Forwarded-Host: a.test",
            b"Forwarded: for=127.0.0.1;host=a.test;proto=http",
        ]
        assert edge.counted("banyan_edge_untrusted_forwarded_total") == 1


async def test_a_trusted_proxy_is_believed_and_added_to(tmp_path: Path) -> None:
    async with two_sides(tmp_path, more="trusted_proxies: [127.0.0.0/8]") as (edge, legacy, _):
        await fetch(edge.port, raw(b"Host: a.test", *SPOKEN))
        message = legacy.asked[0].message
        said = {line.partition(b":")[0].lower(): line.partition(b": ")[2] for line in message.lines}
        assert said[b"x-forwarded-for"] == b"6.6.6.6, 127.0.0.1"
        assert said[b"x-forwarded-proto"] == b"https"
        assert said[b"x-forwarded-host"] == b"evil.test"
        assert said[b"forwarded"] == b"for=6.6.6.6;proto=https, for=127.0.0.1;host=a.test;proto=http"
        assert (said[b"x-real-ip"], said[b"client-ip"], said[b"x-forwarded-port"]) == (
            b"6.6.6.6",
            b"6.6.6.6",
            b"666",
        )
        assert not any(name.startswith(DROPPED_ALWAYS) for name in said)
        assert edge.counted("banyan_edge_untrusted_forwarded_total") == 0


# -- limits ---------------------------------------------------------------------------------------------------

LIMITS = "limits: {head: 2KB, target: 512, headers: 10}"


def padded(size: int) -> bytes:
    """A request whose head has exactly this many bytes."""
    start = raw(b"Host: a", b"X: ")
    return start[:-4] + b"x" * (size - len(start)) + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (padded(2048), 200),
        (padded(2049 + 4), 431),
        (raw(b"Host: a", target=b"/" + b"t" * 511), 200),
        (raw(b"Host: a", target=b"/" + b"t" * 512), 414),
        (raw(b"Host: a", target=b"/" + b"t" * 5000), 414),
        (raw(b"Host: a", *[b"X-%d: y" % n for n in range(9)]), 200),
        (raw(b"Host: a", *[b"X-%d: y" % n for n in range(10)]), 431),
        (raw(b"Host: a", *[b"X: y"] * 400), 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 10_000, 431),
        (b"GET /" + b"x" * 10_000, 414),
        (b"x" * 10_000, 414),
    ],
)
async def test_heads_are_accepted_up_to_stated_limits(tmp_path: Path, data: bytes, status: int) -> None:
    async with two_sides(tmp_path, more=LIMITS) as (edge, legacy, _):
        async with connect(edge.port) as client:
            await client.send(data)
            got = await client.answer()
            assert got.status == status
            if status != 200:
                assert await client.ended()
        assert len(legacy.asked) == (status == 200)


# -- targets --------------------------------------------------------------------------------------------------

TARGETS = [
    b"/%2F%2f",
    b"/a%3Bb;c",
    b"/%21!",
    b"//a//b",
    b"/a/../b/./c",
    b"/..%2f..",
    b"/a;b=c;d",
    b"/?",
    b"/??a=%20+&&=&a",
    b"/%",
    b"/%zz",
    b"/%00",
    b"/%0d%0aX:%20y",
    b"/caf\xe9/\xc3\xa9",
    b"/a|b{c}<d>\"e'^f`[g]\\h",
    b"/:80@a",
    b"/http://b.test/",
    b"/*",
    b"/" + b"x" * 8000,
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: ascii(target[:24]))
async def test_targets_arrive_as_they_were_sent(tmp_path: Path, target: bytes) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        assert (await fetch(edge.port, raw(b"Host: a", target=target))).status == 200
        assert legacy.asked[0].message.start == b"GET " + target + b" HTTP/1.1"


@pytest.mark.parametrize(
    ("target", "side"),
    [
        (b"/moved", b"python"),
        (b"//moved", b"python"),
        (b"/moved/", b"python"),
        (b"/moved//7", b"python"),
        (b"/moved?x=/other", b"python"),
        (b"/moved/%2F", b"python"),
        (b"/mo%76ed", b"legacy"),
        (b"/MOVED", b"legacy"),
        (b"/moved/7/8", b"legacy"),
        (b"/other/../moved", b"legacy"),
        (b"/moved;x", b"legacy"),
        (b"/?/moved", b"legacy"),
    ],
)
async def test_routing_and_forwarding_agree_on_what_was_asked(
    tmp_path: Path, target: bytes, side: bytes
) -> None:
    async with two_sides(tmp_path, MOVED) as (edge, legacy, python):
        for form in (target, b"http://a.test" + target):
            assert (await fetch(edge.port, raw(b"Host: a.test", target=form))).body == side
        assert [asked.target for asked in legacy.asked + python.asked] == [target] * 2


@pytest.mark.parametrize(
    ("target", "host", "origin_form"),
    [
        (b"http://b.test/x?y", b"b.test", b"/x?y"),
        (b"HTTP://b.test:8080/x", b"b.test:8080", b"/x"),
        (b"https://b.test", b"b.test", b"/"),
        (b"http://b.test?y=/z", b"b.test", b"/?y=/z"),
        (b"http://[::1]:80//x", b"[::1]:80", b"//x"),
    ],
)
async def test_an_absolute_target_names_the_host_whatever_the_header_says(
    tmp_path: Path, target: bytes, host: bytes, origin_form: bytes
) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        await fetch(edge.port, raw(b"X-A: 1", b"Host: evil.test", target=target))
        (asked,) = legacy.asked
        assert (asked.target, asked.header(b"host"), asked.header(b"x-forwarded-host")) == (
            origin_form,
            [host],
            [host],
        )


@pytest.mark.parametrize("host", [b"a", b"a.test:80", b"127.0.0.1", b"[::1]:3000", b"A_b-c.D", b"a.test."])
async def test_hosts_pass_as_they_are(tmp_path: Path, host: bytes) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        await fetch(edge.port, raw(b"Host: " + host))
        assert legacy.asked[0].header(b"host") == [host]


@pytest.mark.parametrize("method", [b"GET", b"get", b"PATCH", b"PROPFIND", b"M-SEARCH", b"X!#$%&'*+.^_`|~"])
async def test_methods_are_any_token_and_stay_as_they_are(tmp_path: Path, method: bytes) -> None:
    async with two_sides(tmp_path, MOVED) as (edge, legacy, python):
        await fetch(edge.port, raw(b"Host: a", method=method, target=b"/moved"))
        (asked,) = python.asked if method == b"GET" else legacy.asked
        assert asked.message.start == method + b" /moved HTTP/1.1"


async def test_asterisk_is_for_options(tmp_path: Path) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        await fetch(edge.port, raw(b"Host: a", method=b"OPTIONS", target=b"*"))
        assert legacy.asked[0].message.start == b"OPTIONS * HTTP/1.1"


async def _ids(edge: InProcessEdge, *said: bytes) -> Message:
    return await fetch(edge.port, raw(b"Host: a", *said))


@pytest.mark.parametrize("said", [b"two words", b"a\tb", b"", b'"a"', b"x" * 200, b"\xe9"])
async def test_a_request_id_that_is_not_plain_is_replaced(tmp_path: Path, said: bytes) -> None:
    async with two_sides(tmp_path) as (edge, legacy, _):
        legacy.script = always(answer())
        await _ids(edge, b"X-Request-Id: " + said)
        (made,) = legacy.asked[0].header(b"x-request-id")
        assert made != said
        assert made.isalnum()
