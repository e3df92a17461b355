# SPDX-License-Identifier: AGPL-3.0-or-later
"""The dashboard over HTTP: pages and twins, signing in, actions and refusals."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from proxy.dashboard.operators import COOKIE, COOKIE_SECONDS, Operators, OperatorsError
from proxy.dashboard.pages import mount
from tests.dashboardsource import FINDING, HOSTILE, NOW, UNITS, SeededSource, row

TOKENS = {"BANYAN_ADMIN_TOKENS": "ana=ana-token-1, ben=ben-token-2", "BANYAN_ADMIN_TOKEN": "shared-token"}
PAGES = {
    "/dashboard/": "/dashboard/overview.json",
    "/dashboard/units/reactions-reads": "/dashboard/units/reactions-reads.json",
    "/dashboard/routes/events%23index": "/dashboard/routes/events%23index.json",
    f"/dashboard/findings/{FINDING.fingerprint}": f"/dashboard/findings/{FINDING.fingerprint}.json",
    "/dashboard/journal": "/dashboard/journal.json",
    "/dashboard/config": "/dashboard/config.json",
    "/dashboard/replicas": "/dashboard/replicas.json",
}


class Site:
    """A dashboard and a browser without JavaScript."""

    def __init__(self, source: SeededSource, client: aiohttp.ClientSession) -> None:
        self.source = source
        self.client = client

    async def get(self, path: str, **more: Any) -> tuple[int, str, aiohttp.ClientResponse]:
        async with self.client.get(path, allow_redirects=False, **more) as answer:
            return answer.status, await answer.text(), answer

    async def post(self, path: str, **form: str) -> tuple[int, str, aiohttp.ClientResponse]:
        async with self.client.post(path, data=form, allow_redirects=False) as answer:
            return answer.status, await answer.text(), answer

    async def sign_in(self, token: str, following: str = "") -> tuple[int, str, aiohttp.ClientResponse]:
        return await self.post("/dashboard/sign-in", token=token, next=following)

    async def form_token(self, path: str = "/dashboard/units/reactions-reads") -> str:
        _, text, _ = await self.get(path)
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', text)
        assert found is not None
        return found[1]


async def running(environ: dict[str, str]) -> AsyncIterator[Site]:
    source = SeededSource()
    application = web.Application()
    mount(application, source, Operators.from_environment(environ), lambda: NOW)
    async with TestServer(application, host="127.0.0.1") as server:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(server.make_url("/"), cookie_jar=jar) as client:
            yield Site(source, client)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async for one in running({}):
        yield one


@pytest.fixture
async def guarded() -> AsyncIterator[Site]:
    async for one in running(TOKENS):
        yield one


class Checker(HTMLParser):
    """Notes what a page lacks."""

    def __init__(self) -> None:
        super().__init__()
        self.missing: list[str] = []
        self.labelled: set[str] = set()
        self.inputs: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "svg" and not given.get("aria-label"):
            self.missing.append("svg without words")
        if tag == "th" and "scope" not in given:
            self.missing.append("th without scope")
        if tag == "label":
            self.labelled.add(given["for"] or "")
        if tag == "input" and given.get("type") != "hidden":
            self.inputs.add(given["id"] or "")
        if "style" in given or any(name.startswith("on") for name in given):
            self.missing.append(f"{tag} with inline style or script")
        for name in ("src", "href", "action"):
            if (given.get(name) or "").startswith(("http", "//")):
                self.missing.append(f"{tag} leads elsewhere")


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_has_a_twin_and_is_whole(site: Site, path: str) -> None:
    status, text, answer = await site.get(path)
    assert status == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert HOSTILE not in text
    checker = Checker()
    checker.feed(text)
    assert not checker.missing
    assert checker.inputs <= checker.labelled
    twin, body, answer = await site.get(PAGES[path])
    assert (twin, answer.content_type) == (200, "application/json")
    assert body.startswith(("{", "["))
    assert f'href="{PAGES[path]}"' in text or PAGES[path].replace("%23", "#") in text


async def test_what_is_not_there_is_404(site: Site) -> None:
    for path in ("units/none", "routes/none", "findings/none"):
        assert (await site.get(f"/dashboard/{path}"))[0] == 404
        assert (await site.get(f"/dashboard/{path}.json"))[0] == 404
    assert (await site.get("/dashboard/static/../pages.py"))[0] == 404
    assert (await site.get("/dashboard/static/style.css"))[0] == 200


async def test_nobody_reads_without_a_token(guarded: Site) -> None:
    for path, twin in PAGES.items():
        status, _, answer = await guarded.get(path)
        assert (status, answer.headers["Location"].startswith("/dashboard/sign-in?next=")) == (302, True)
        assert (await guarded.get(twin))[0] == 401
        assert (await guarded.get(twin, headers={"Authorization": "Bearer ben-token-2"}))[0] == 200
    assert (await guarded.get("/dashboard/live"))[0] == 401


async def test_an_operator_signs_in_acts_and_is_named(guarded: Site) -> None:
    assert (await guarded.sign_in("wrong"))[0] == 403
    status, _, answer = await guarded.sign_in("ana-token-1", "/dashboard/units/reactions-reads")
    assert (status, answer.headers["Location"]) == (303, "/dashboard/units/reactions-reads")
    cookie = answer.cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/dashboard")
    token = await guarded.form_token()
    status, _, answer = await guarded.post(
        "/dashboard/act", csrf=token, unit="reactions-reads", action="pause", reason="lunch"
    )
    assert (status, answer.headers["Location"]) == (
        303,
        "/dashboard/units/reactions-reads?told=pause%20reactions-reads",
    )
    assert guarded.source.acted == [("reactions-reads", "pause", "ana", "lunch")]
    assert (await guarded.post("/dashboard/act", csrf=token, action="freeze"))[0] == 303
    status, text, _ = await guarded.post(
        "/dashboard/act", csrf=token, unit="reactions-reads", action="confirm"
    )
    assert (status, "cannot confirm" in text) == (409, True)
    await guarded.post("/dashboard/sign-out", csrf=token)
    assert (await guarded.get("/dashboard/"))[0] == 302


async def test_actions_without_operator_or_form_token_are_refused_and_noted(guarded: Site) -> None:
    assert (await guarded.post("/dashboard/act", unit="boot-site", action="kill"))[0] == 401
    await guarded.sign_in("ben-token-2")
    assert (await guarded.post("/dashboard/act", csrf="0" * 64, unit="boot-site", action="kill"))[0] == 403
    token = await guarded.form_token()
    assert (await guarded.post("/dashboard/act", csrf=token, unit="boot-site", action="explode"))[0] == 403
    assert not guarded.source.acted
    assert [(by, action) for _, action, by, _ in guarded.source.refusals] == [
        ("", "kill"),
        ("ben", "kill"),
        ("ben", "explode"),
    ]


async def test_signing_in_leads_nowhere_else(guarded: Site) -> None:
    for foreign in ("https://evil.example/", "//evil.example", "/\\evil.example", "/dashboard/../x:y"):
        _, _, answer = await guarded.sign_in("shared-token", foreign)
        assert answer.headers["Location"] == "/dashboard/"


async def test_the_stream_says_when_something_changed(site: Site) -> None:
    async with site.client.get("/dashboard/live") as stream:
        assert await stream.content.readuntil(b"\n\n") == b"event: changed\ndata: 1\n\n"


async def test_three_hundred_units_are_one_page(site: Site) -> None:
    site.source.units = tuple(row(f"unit-{n}", n % 12, "ramping", 10.0, "pass", "") for n in range(300))
    status, text, _ = await site.get("/dashboard/")
    assert (status, text.count("<svg")) == (200, 600)


def test_cookies_hold_for_their_time_and_token() -> None:
    operators = Operators.from_environment(TOKENS)
    cookie = operators.cookie_for("ana", NOW)
    assert operators.of_cookie(cookie, NOW + COOKIE_SECONDS - 1) == "ana"
    assert operators.of_cookie(cookie, NOW + COOKIE_SECONDS + 1) is None
    assert operators.of_cookie(cookie.replace("ana", "ben"), NOW) is None
    assert operators.of_cookie("", NOW) is None
    assert (
        Operators.from_environment({"BANYAN_ADMIN_TOKENS": "ana=another-one"}).of_cookie(cookie, NOW) is None
    )
    assert operators.of_bearer("Bearer shared-token") == "admin"
    assert operators.of_bearer("Basic shared-token") is None


@pytest.mark.parametrize("text", ["ana", "ana=short", "ana=long-enough,ana=long-enough", "a b=long-enough"])
def test_malformed_tokens_are_refused(text: str) -> None:
    with pytest.raises(OperatorsError, match="name=token"):
        Operators.from_environment({"BANYAN_ADMIN_TOKENS": text})


assert len({unit.phase for unit in UNITS}) == len(UNITS)
