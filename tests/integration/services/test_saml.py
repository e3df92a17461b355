# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signing in by SAML: an identity provider's signed answers, brought by a browser."""

from __future__ import annotations

import base64
import itertools
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from lxml import etree

from contracts.compare import Answer
from contracts.corpus import Corpus
from tests.browsing import Browser, header
from tests.factories import Factory
from tests.samlprovider import Said, metadata
from tests.servicetest import Service, running_service

_numbers = itertools.count(1)


@pytest.fixture
async def service(corpus: Corpus, database_url: str) -> AsyncIterator[Service]:
    async with running_service(corpus, database_url, SAML_IDP_METADATA=metadata()) as running:
        yield running


@pytest.fixture
async def browser(service: Service) -> Browser:
    return Browser(service)


@pytest.fixture
def said(corpus: Corpus) -> Said:
    """A good answer about somebody new."""
    origin = f"http://{corpus.env['CANONICAL_HOST']}"
    return Said(origin=origin, name_id=f"saml{next(_numbers)}@other.example", name="Ada Other")


async def brings(browser: Browser, said: Said) -> Answer:
    return await browser.submit("/saml/oauth", {"SAMLResponse": said.text()})


async def identities(make: Factory, uid: str) -> list[asyncpg.Record]:
    return await make.connection.fetch("SELECT * FROM omniauth_identities WHERE uid = $1", uid)


async def test_the_way_there(browser: Browser, said: Said) -> None:
    answer = await browser.get("/saml/oauth?back_to=/d/there")
    there = header(answer, "location") or ""
    assert (answer.status, there.partition("?")[0]) == (302, "https://id.example/sso")
    packed = base64.b64decode(parse_qs(urlsplit(there).query)["SAMLRequest"][0])
    request = etree.fromstring(zlib.decompress(packed, -zlib.MAX_WBITS))
    assert request.get("AssertionConsumerServiceURL") == f"{said.origin}/saml/oauth"
    assert request.get("Destination") == "https://id.example/sso"
    assert request.findtext("{*}Issuer") == f"{said.origin}/saml/metadata"
    assert browser.session["back_to"] == "/d/there"


async def test_who_this_site_is(browser: Browser, said: Said) -> None:
    answer = await browser.get("/saml/metadata")
    assert answer.status == 200
    assert header(answer, "content-type") == "application/samlmetadata+xml; charset=utf-8"
    assert etree.fromstring(answer.body).get("entityID") == f"{said.origin}/saml/metadata"


async def test_there_and_back(browser: Browser, said: Said, make: Factory) -> None:
    key = await make.user(email=said.name_id)
    await browser.get("/saml/oauth?back_to=/d/there")
    answer = await brings(browser, said)
    assert (answer.status, header(answer, "location")) == (302, f"{said.origin}/d/there")
    assert browser.user_id == key
    (row,) = await identities(make, said.name_id)
    told = (row["identity_type"], row["email"], row["name"], row["user_id"], row["access_token"])
    assert told == ("saml", said.name_id, "Ada Other", key, None)


async def test_a_provider_may_begin(browser: Browser, said: Said, make: Factory) -> None:
    """As forms of other sites come: without cookies."""
    answer = await brings(browser, replace(said, signs="Response"))
    assert (answer.status, header(answer, "location")) == (302, f"{said.origin}/dashboard")
    (row,) = await identities(make, said.name_id)
    assert browser.session["pending_identity_id"] == row["id"]
    assert row["user_id"] is None


async def test_whoever_is_signed_in_has_to_begin(browser: Browser, said: Said, make: Factory) -> None:
    me = await make.user()
    browser.jar = browser.service.signed_in(me, await make.password_of(me))
    assert (await brings(browser, said)).status == 401
    assert await identities(make, said.name_id) == []
    await browser.get("/saml/oauth")
    assert (await brings(browser, said)).status == 302
    assert (await identities(make, said.name_id))[0]["user_id"] == me


async def test_what_nobody_vouches_for_is_refused(browser: Browser, said: Said, make: Factory) -> None:
    for one in (replace(said, signs=""), replace(said, key="another"), replace(said, minutes=-30)):
        answer = await brings(browser, one)
        assert (answer.status, header(answer, "content-type")) == (401, "text/html; charset=utf-8")
    for form in ({}, {"SAMLResponse": ""}, {"SAMLResponse": "x"}, {"SAMLResponse[a]": said.text()}):
        assert (await browser.submit("/saml/oauth", form)).status == 401
    assert await identities(make, said.name_id) == []
    assert browser.user_id is None


async def test_leaving(browser: Browser, said: Said, make: Factory) -> None:
    key = await make.user(email=said.name_id)
    await brings(browser, said)
    assert browser.user_id == key
    assert (await browser.get("/saml")).status == 302
    assert await identities(make, said.name_id) == []
    assert (await browser.get("/saml")).status == 404


async def test_without_a_provider_there_is_nothing(corpus: Corpus, database_url: str, said: Said) -> None:
    async with running_service(corpus, database_url) as service:
        browser = Browser(service)
        for path in ("/saml/oauth", "/saml/metadata", "/saml/authorize"):
            assert (await browser.get(path)).status == 404
        assert (await brings(browser, said)).status == 404


async def test_metadata_are_read_where_they_are(corpus: Corpus, database_url: str, said: Said) -> None:
    answers = iter(["no metadata", metadata()])

    async def tell(_request: web.Request) -> web.Response:
        return web.Response(text=next(answers), content_type="application/xml")

    app = web.Application()
    app.router.add_get("/metadata", tell)
    async with TestServer(app, host="127.0.0.1") as elsewhere:
        more = {"SAML_IDP_METADATA_URL": str(elsewhere.make_url("/metadata"))}
        async with running_service(corpus, database_url, **more) as service:
            browser = Browser(service)
            assert (await browser.get("/saml/oauth")).status == 503
            assert (await browser.get("/saml/oauth")).status == 302
            await elsewhere.close()
            assert (await brings(browser, said)).status == 503
