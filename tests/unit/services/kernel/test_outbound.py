# SPDX-License-Identifier: AGPL-3.0-or-later
"""Questions to other servers: limits, and who may be asked at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import ElsewhereError
from services.kernel.outbound import Answered, Outbound, hosts_of, is_public

HERE = frozenset(("127.0.0.1",))


class Elsewhere:
    """A server that says what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.told: list[str] = []
        self.url = ""
        self.never = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Elsewhere]:
        app = web.Application()
        app.router.add_route("*", "/{what:.*}", self._answer)
        async with TestServer(app, host="127.0.0.1") as server:
            self.url = f"http://127.0.0.1:{server.port}"
            yield self
            self.never.set()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.told.append(await request.text())
        match request.match_info["what"]:
            case "never":
                await self.never.wait()
                return web.Response()
            case "large":
                return web.Response(body=b"x" * 2000)
            case "away":
                raise web.HTTPFound(request.query["to"])
            case "round":
                raise web.HTTPFound("/round")
            case _:
                said = {"cookie": request.headers.get("Cookie")}
                return web.json_response(said, headers={"Set-Cookie": "a=b"})


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    """Another server, running."""
    async with Elsewhere().running() as one:
        yield one


async def test_asks_with_a_token_and_without_cookies(elsewhere: Elsewhere) -> None:
    async with Outbound.open(HERE) as outbound:
        assert (await outbound.get(f"{elsewhere.url}/a?b=c", bearer="tökén")).document() == {"cookie": None}
        assert (await outbound.get(elsewhere.url)).document() == {"cookie": None}
    assert dict(elsewhere.asked[0].raw_headers)[b"Authorization"] == "Bearer tökén".encode()
    assert elsewhere.asked[0].path_qs == "/a?b=c"


async def test_sends_forms(elsewhere: Elsewhere) -> None:
    async with Outbound.open(HERE) as outbound:
        await outbound.post(elsewhere.url, {"a": "b c"})
    assert elsewhere.asked[0].content_type == "application/x-www-form-urlencoded"
    assert elsewhere.told == ["a=b+c"]


@pytest.mark.parametrize("what", ["never", "large", "round"])
async def test_what_takes_too_long_or_says_too_much_is_an_error(elsewhere: Elsewhere, what: str) -> None:
    seconds = 0.2 if what == "never" else 10
    async with Outbound.open(HERE, seconds=seconds, largest=1000) as outbound:
        with pytest.raises(ElsewhereError):
            await outbound.get(f"{elsewhere.url}/{what}")
    assert len(elsewhere.asked) <= 4


async def test_redirects_are_followed_where_something_is_read(elsewhere: Elsewhere) -> None:
    async with Outbound.open(HERE) as outbound:
        assert (await outbound.get(f"{elsewhere.url}/away?to=/there", bearer="t")).status == 200
        assert (await outbound.post(f"{elsewhere.url}/away?to=/there", {})).status == 302
    assert [request.path for request in elsewhere.asked] == ["/away", "/there", "/away"]
    assert elsewhere.asked[1].headers["Authorization"] == "Bearer t"


async def test_a_token_stays_with_its_origin(elsewhere: Elsewhere) -> None:
    async with Elsewhere().running() as other, Outbound.open(HERE) as outbound:
        await outbound.get(f"{elsewhere.url}/away?to={other.url}/", bearer="t")
    assert "Authorization" not in other.asked[0].headers


@pytest.mark.parametrize("spelling", ["localhost", "127.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]"])
async def test_nobody_leads_into_the_private_network(elsewhere: Elsewhere, spelling: str) -> None:
    inside = elsewhere.url.replace("127.0.0.1", spelling)
    async with Outbound.open(HERE) as outbound:
        with pytest.raises(ElsewhereError):
            await outbound.get(f"{elsewhere.url}/away?to={inside}/secret")
        with pytest.raises(ElsewhereError):
            await outbound.get(f"{inside}/secret")
    assert [request.path for request in elsewhere.asked] == ["/away"]


async def test_a_host_that_settings_name_may_be_private(elsewhere: Elsewhere) -> None:
    inside = elsewhere.url.replace("127.0.0.1", "localhost")
    async with Outbound.open(hosts_of(inside)) as outbound:
        assert (await outbound.get(inside)).status == 200


@pytest.mark.parametrize(
    "url", ["", "/path", "ftp://a.example/", "http://", "http://h:99999/", "http://a b/"]
)
async def test_what_is_no_web_address_is_an_error(url: str) -> None:
    async with Outbound.open() as outbound:
        with pytest.raises(ElsewhereError):
            await outbound.get(url)


async def test_nobody_there_is_an_error_that_tells_no_address(unused_tcp_port: int) -> None:
    async with Outbound.open(HERE) as outbound:
        with pytest.raises(ElsewhereError) as raised:
            await outbound.get(f"http://127.0.0.1:{unused_tcp_port}/?secret=x", bearer="t")
    assert str(raised.value) == "ClientConnectorError"
    assert isinstance(raised.value.__cause__, aiohttp.ClientError)


async def test_a_token_with_a_line_end_is_an_error(elsewhere: Elsewhere) -> None:
    async with Outbound.open(HERE) as outbound:
        with pytest.raises(ElsewhereError):
            await outbound.get(elsewhere.url, bearer="a\r\nX-More: b")
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2a00:1450:4001:81b::200e", True),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("::1", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("127.1", False),
    ],
)
def test_addresses_of_the_whole_internet(address: str, public: bool) -> None:
    assert is_public(address) is public


@given(st.binary(max_size=60) | st.sampled_from([b"[" * 5000, b'"x"', b'{"a":"\\ud800"}', b'{"a": 1}']))
def test_anything_is_a_document_or_none(body: bytes) -> None:
    assert isinstance(Answered(200, body).document(), dict)


def test_hosts_that_settings_name() -> None:
    named = hosts_of("http://A.example:1/x", None, "", "no url", "http://h:99999", "https://[::1]/")
    assert named == {"a.example", "::1"}
