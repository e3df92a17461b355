# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signing in by another service, which is a real one on a loopback port."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer

from contracts.compare import Answer
from contracts.corpus import Corpus
from services.app.application import DATABASE
from services.sessions.providers import PROVIDERS, Provider, google
from tests.browsing import Browser, header
from tests.factories import Factory
from tests.identityprovider import CODE, TOKEN, IdentityProvider
from tests.proxytest.waiting import until
from tests.servicetest import Service, running_service, serving

_numbers = itertools.count(1)
BACK = f"code={CODE}"


async def returns(browser: Browser, provider: str = "oauth", query: str = BACK) -> Answer:
    """Go to a provider and come back."""
    assert (await browser.get(f"/{provider}/oauth?back_to=/d/there")).status == 302
    return await browser.get(f"/{provider}/authorize?{query}")


@pytest.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    async with IdentityProvider().running() as running:
        yield running


@pytest.fixture
async def service(corpus: Corpus, database_url: str, provider: IdentityProvider) -> AsyncIterator[Service]:
    async with running_service(corpus, database_url, **provider.settings) as running:
        yield running


@pytest.fixture
async def browser(service: Service) -> Browser:
    return Browser(service)


@pytest.fixture
def somebody(provider: IdentityProvider) -> dict[str, Any]:
    """Whom the provider knows; nobody here does, yet."""
    number = next(_numbers)
    provider.person |= {
        "sub": f"uid-{number}",
        "full_name": "Ada Other",
        "mail": f"ada{number}@other.example",
    }
    return provider.person


def busy_connections(service: Service) -> int:
    """How many connections to PostgreSQL are in use."""
    assert isinstance(service.server, TestServer)
    return service.server.app[DATABASE].connections()["busy"]


async def identities(make: Factory, uid: str) -> list[asyncpg.Record]:
    return await make.connection.fetch("SELECT * FROM omniauth_identities WHERE uid = $1", uid)


async def user(make: Factory, key: int) -> asyncpg.Record:
    row = await make.connection.fetchrow("SELECT *, email::text AS email FROM users WHERE id = $1", key)
    assert row is not None
    return row


async def test_a_stranger_waits_to_be_somebody(
    browser: Browser, somebody: dict[str, Any], make: Factory, provider: IdentityProvider, corpus: Corpus
) -> None:
    people = await make.connection.fetchval("SELECT count(*) FROM users")
    answer = await returns(browser)
    assert answer.status == 302
    assert header(answer, "location") == f"http://{corpus.env['CANONICAL_HOST']}/d/there"
    (row,) = await identities(make, somebody["sub"])
    assert browser.session["pending_identity_id"] == row["id"]
    assert "back_to" not in browser.session
    assert browser.user_id is None
    told = (row["user_id"], row["identity_type"], row["email"], row["name"], row["access_token"], row["logo"])
    assert told == (None, "oauth", somebody["mail"], "Ada Other", TOKEN, None)
    assert await make.connection.fetchval("SELECT count(*) FROM users") == people
    token, profile = provider.asked
    assert token.form == {
        "client_id": "key",
        "client_secret": "secret",
        "code": CODE,
        "redirect_uri": f"http://{corpus.env['CANONICAL_HOST']}/oauth/authorize",
        "grant_type": "authorization_code",
    }
    assert profile.authorization == f"Bearer {TOKEN}"


async def test_a_known_address_signs_in(browser: Browser, somebody: dict[str, Any], make: Factory) -> None:
    key = await make.user(email=somebody["mail"], name="Ada Here")
    assert (await returns(browser)).status == 302
    assert browser.user_id == key
    assert "notice" in browser.session["flash"]["flashes"]
    assert {"remember_user_token", "signed_in", "csrftoken"} <= browser.jar.keys()
    row = await user(make, key)
    assert (row["name"], row["sign_in_count"]) == ("Ada Here", 1)
    (identity,) = await identities(make, somebody["sub"])
    assert identity["user_id"] == key


async def test_an_address_that_nobody_proved_is_asked_for(
    browser: Browser, somebody: dict[str, Any], make: Factory
) -> None:
    await make.user(email=somebody["mail"], email_verified=False)
    await returns(browser)
    assert browser.user_id is None
    assert (await identities(make, somebody["sub"]))[0]["user_id"] is None


async def test_an_identity_is_its_owners_whatever_its_address(
    browser: Browser, somebody: dict[str, Any], make: Factory
) -> None:
    owner, other = await make.user(), await make.user(email=somebody["mail"])
    columns = {"identity_type": "oauth", "uid": somebody["sub"], "email": "old@other.example", "name": "Old"}
    now = (await user(make, owner))["created_at"]
    await make.insert("omniauth_identities", user_id=owner, created_at=now, updated_at=now, **columns)
    await returns(browser)
    assert browser.user_id == owner != other
    (row,) = await identities(make, somebody["sub"])
    assert (row["email"], row["name"], row["user_id"]) == (somebody["mail"], "Ada Other", owner)
    assert row["updated_at"] != now
    # Once more: nothing is new, and nobody signs in again.
    await returns(browser)
    assert [dict(one) for one in await identities(make, somebody["sub"])] == [dict(row)]
    assert (await user(make, owner))["sign_in_count"] == 1


async def test_whoever_is_signed_in_is_known_to_the_service_from_then_on(
    browser: Browser, somebody: dict[str, Any], make: Factory
) -> None:
    me, _ = await make.user(), await make.user(email=somebody["mail"])
    browser.jar = browser.service.signed_in(me, await make.password_of(me))
    await returns(browser)
    assert browser.user_id == me
    assert (await identities(make, somebody["sub"]))[0]["user_id"] == me
    row = await user(make, me)
    assert (row["sign_in_count"], row["last_seen_at"] is not None) == (0, True)


async def test_closed_accounts_stay_closed(browser: Browser, somebody: dict[str, Any], make: Factory) -> None:
    key = await make.user(email=somebody["mail"])
    await make.update("users", key, deactivated_at=(await user(make, key))["created_at"])
    answer = await returns(browser)
    assert (answer.status, browser.user_id) == (401, None)
    assert header(answer, "www-authenticate") is None
    assert b"<html" in answer.body


async def test_services_alone_decide_where_there_is_no_sign_in_of_our_own(
    corpus: Corpus, database_url: str, provider: IdentityProvider, somebody: dict[str, Any], make: Factory
) -> None:
    more = provider.settings | {"FEATURES_DISABLE_EMAIL_LOGIN": "1"}
    async with running_service(corpus, database_url, **more) as service:
        browser = Browser(service)
        await returns(browser)
        made = browser.user_id
        assert made is not None
        row = await user(make, made)
        told = (
            row["email"],
            row["name"],
            row["email_verified"],
            row["avatar_initials"],
            row["sign_in_count"],
        )
        assert told == (somebody["mail"], "Ada Other", True, "AO", 1)
        changes = await make.connection.fetchval(
            "SELECT object_changes->'name'->>1 FROM versions WHERE item_type = 'User' AND item_id = $1", made
        )
        assert changes == "Ada Other"
        unproven = await make.user(email="unproven@other.example", email_verified=False)
        provider.person |= {"sub": f"{somebody['sub']}-b", "mail": "Unproven@other.example"}
        browser = Browser(service)
        await returns(browser)
        assert browser.user_id == unproven
        assert (await user(make, unproven))["email_verified"]
        provider.person |= {"sub": f"{somebody['sub']}-c", "mail": "no address"}
        browser = Browser(service)
        assert (await returns(browser)).status == 422
        assert browser.user_id is None
        assert await identities(make, f"{somebody['sub']}-c") == []


async def test_of_several_at_the_same_time_one_makes_the_account(
    corpus: Corpus, database_url: str, provider: IdentityProvider, somebody: dict[str, Any], make: Factory
) -> None:
    more = provider.settings | {"FEATURES_DISABLE_EMAIL_LOGIN": "1"}
    async with running_service(corpus, database_url, **more) as service:
        browsers = [Browser(service) for _ in range(6)]
        answers = await asyncio.gather(*(returns(browser) for browser in browsers))
        assert {answer.status for answer in answers} == {302}
        (made,) = {browser.user_id for browser in browsers}
        assert [row["user_id"] for row in await identities(make, somebody["sub"])] == [made]


async def test_name_and_address_follow_the_service_where_the_site_says_so(
    corpus: Corpus, database_url: str, provider: IdentityProvider, somebody: dict[str, Any], make: Factory
) -> None:
    more = provider.settings | {"LOOMIO_SSO_FORCE_USER_ATTRS": "1"}
    async with running_service(corpus, database_url, **more) as service:
        key = await make.user(email=somebody["mail"], name="Ada Here")
        await returns(Browser(service))
        row = await user(make, key)
        assert (row["name"], row["avatar_initials"]) == ("Ada Other", "AO")
        taken, _ = "taken@other.example", await make.user(email="taken@other.example")
        for mail, name, expected in (
            (f"New{somebody['mail']}", "Ada New", (f"new{somebody['mail']}", "Ada New")),
            (taken, "Ada Newer", (f"new{somebody['mail']}", "Ada New")),
            (f"new{somebody['mail']}", "", (f"new{somebody['mail']}", "Ada New")),
            (f"new{somebody['mail']}", "x" * 101, (f"new{somebody['mail']}", "Ada New")),
        ):
            provider.person |= {"mail": mail, "full_name": name}
            await returns(Browser(service))
            row = await user(make, key)
            assert (row["email"], row["name"]) == expected
        versions = await make.connection.fetch(
            "SELECT object_changes FROM versions WHERE item_type = 'User' AND item_id = $1 ORDER BY id", key
        )
        assert len(versions) == 2


async def test_nextcloud_tells_no_name(browser: Browser, make: Factory, provider: IdentityProvider) -> None:
    number = next(_numbers)
    key = await make.user(email=f"cloud{number}@other.example")
    provider.person = {"ocs": {"data": {"id": f"cloud-{number}", "email": f"cloud{number}@other.example"}}}
    assert (await returns(browser, "nextcloud")).status == 302
    assert browser.user_id == key
    (row,) = await identities(make, f"cloud-{number}")
    assert (row["identity_type"], row["name"], row["user_id"]) == ("nextcloud", None, key)
    assert [asked.path for asked in provider.asked] == [
        "/index.php/apps/oauth2/api/v1/token",
        "/ocs/v2.php/cloud/user?format=json",
    ]


async def test_google_tells_a_picture_too(
    browser: Browser, make: Factory, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def google_here(env: Mapping[str, str]) -> Provider:
        there = google({**env, "GOOGLE_APP_SECRET": "secret"})
        return replace(there, token_url=f"{provider.url}/token", profile_url=f"{provider.url}/profile")

    monkeypatch.setitem(PROVIDERS, "google", google_here)
    uid, picture = f"google-{next(_numbers)}", "https://pictures.example/ada.png"
    provider.person = {"id": uid, "email": f"{uid}@other.example", "name": "Ada Other", "picture": picture}
    assert (await returns(browser, "google")).status == 302
    (row,) = await identities(make, uid)
    told = (row["identity_type"], row["name"], row["logo"], row["user_id"])
    assert told == ("google", "Ada Other", picture, None)


@pytest.mark.parametrize("query", ["code=wrong", "code=", "", "code=%00", "code[]=x"])
async def test_a_code_that_is_none_is_refused(
    browser: Browser, somebody: dict[str, Any], make: Factory, query: str
) -> None:
    answer = await returns(browser, query=query)
    assert 400 <= answer.status < 500
    assert await identities(make, somebody["sub"]) == []


ODD_TOKENS: list[tuple[int, str]] = [
    (200, "no json"),
    (200, "[]"),
    (200, '{"access_token": " "}'),
    (200, '{"access_token": {"a": 1}}'),
    (200, '{"access_token": "a\\u0000b"}'),
    (500, "<html>"),
    (302, ""),
]


@pytest.mark.parametrize(("status", "text"), ODD_TOKENS)
async def test_odd_answers_for_a_code_are_refused(
    browser: Browser, provider: IdentityProvider, status: int, text: str
) -> None:
    provider.tokens = web.Response(status=status, text=text)
    answer = await returns(browser)
    assert (answer.status, browser.user_id) == (401, None)
    assert header(answer, "content-type") == "text/html; charset=utf-8"


ODD_PROFILES = [
    "no json",
    "[]",
    "{}",
    '{"sub": null, "mail": "a@b.example"}',
    '{"sub": "x", "mail": ""}',
    '{"sub": {"a": 1}, "mail": "a@b.example"}',
    '{"sub": true, "mail": "a@b.example"}',
    '{"sub": "a\\u0000", "mail": "a@b.example"}',
    f'{{"sub": "{"x" * 300}", "mail": "a@b.example"}}',
    '{"ocs": []}',
    '{"ocs": {"data": "x"}}',
]


@pytest.mark.parametrize("text", ODD_PROFILES)
@pytest.mark.parametrize("name", ["oauth", "nextcloud"])
async def test_odd_profiles_are_refused(
    browser: Browser, provider: IdentityProvider, text: str, name: str
) -> None:
    provider.profiles = web.Response(text=text)
    answer = await returns(browser, name)
    assert (answer.status, browser.user_id) == (401, None)


async def test_numbers_are_ids_too_and_what_does_not_fit_is_left_aside(
    browser: Browser, somebody: dict[str, Any], make: Factory
) -> None:
    somebody |= {"sub": 4_711_000 + next(_numbers), "full_name": "x" * 300}
    await returns(browser)
    (row,) = await identities(make, str(somebody["sub"]))
    assert row["name"] is None


async def test_a_service_that_is_away_is_said_to_be(
    corpus: Corpus, database_url: str, provider: IdentityProvider, unused_tcp_port: int
) -> None:
    gone = {"OAUTH_PROFILE_URL": f"http://127.0.0.1:{unused_tcp_port}/"}
    async with running_service(corpus, database_url, **provider.settings | gone) as service:
        browser = Browser(service)
        with structlog.testing.capture_logs() as lines:
            answer = await returns(browser)
        assert (answer.status, browser.user_id) == (503, None)
        assert b"does not answer" in answer.body
        (said,) = (line for line in lines if line["event"] == "unavailable")
        assert said["cause"] == "oauth: ClientConnectorError"
        assert not any(secret in str(lines) for secret in (CODE, TOKEN))
        provider.tokens = web.Response(text="x" * (2 << 20))
        assert (await returns(browser)).status == 503
        browser.jar.clear()
        assert (
            await service.get("/oauth/authorize?code=x", headers={"Accept": "application/json"})
        ).status == 401


async def test_nobody_waits_for_a_service_with_a_connection_in_hand(
    browser: Browser, provider: IdentityProvider, somebody: dict[str, Any], make: Factory
) -> None:
    me = await make.user()
    browser.jar = browser.service.signed_in(me, await make.password_of(me))
    provider.may_answer = asyncio.Event()
    coming = asyncio.create_task(returns(browser))
    await until(lambda: bool(provider.asked))
    await until(lambda: busy_connections(browser.service) == 0)
    assert not coming.done()
    provider.may_answer.set()
    assert (await coming).status == 302
    assert (await identities(make, somebody["sub"]))[0]["user_id"] == me


async def test_a_code_counts_only_in_a_browser_that_began(
    browser: Browser, somebody: dict[str, Any], make: Factory, provider: IdentityProvider
) -> None:
    me = await make.user()
    browser.jar = browser.service.signed_in(me, await make.password_of(me))
    assert (await browser.get(f"/oauth/authorize?{BACK}")).status == 401
    assert provider.asked == []
    # Rails begins it like this, and leaves None where nobody said where to go back to.
    browser.jar = browser.service.signed_in(me, await make.password_of(me), back_to=None)
    assert (await browser.get(f"/oauth/authorize?{BACK}")).status == 302
    assert (await identities(make, somebody["sub"]))[0]["user_id"] == me
    # Once is enough.
    assert (await browser.get(f"/oauth/authorize?{BACK}")).status == 401


async def test_state_is_demanded_back_where_it_was_sent(
    corpus: Corpus, database_url: str, provider: IdentityProvider, somebody: dict[str, Any], make: Factory
) -> None:
    more = provider.settings | {"BANYAN_OAUTH_STATE": "on"}
    async with running_service(corpus, database_url, **more) as service:
        for wrong in ("", "&state=", "&state=x"):
            assert (await returns(Browser(service), query=f"{BACK}{wrong}")).status == 401
        browser = Browser(service)
        left = await browser.get("/oauth/oauth")
        (state,) = parse_qs(urlsplit(header(left, "location") or "").query)["state"]
        assert (await browser.get(f"/oauth/authorize?{BACK}&state={state}")).status == 302
        assert (await browser.get(f"/oauth/authorize?{BACK}&state={state}")).status == 401
    assert len(await identities(make, somebody["sub"])) == 1


async def test_what_is_drawn_is_a_parameter(
    corpus: Corpus, database_url: str, provider: IdentityProvider
) -> None:
    environment = corpus.env | provider.settings | {"BANYAN_OAUTH_STATE": "on", "DATABASE_URL": database_url}
    drawn: list[str | None] = []
    for seed in (1, 1, 2):
        async with serving(corpus, environment, random.Random(seed).randbytes) as service:
            left = await Browser(service).get("/oauth/oauth", X_Request_Id="the-same")
            drawn.append(header(left, "location"))
    assert drawn[0] == drawn[1] != drawn[2]


async def test_a_service_that_is_not_set_up_is_not_there(corpus: Corpus, database_url: str) -> None:
    async with running_service(corpus, database_url, OAUTH_TOKEN_URL="") as service:
        browser = Browser(service)
        assert (await browser.get("/oauth/oauth")).status == 302
        assert (await browser.get(f"/oauth/authorize?{BACK}")).status == 503


async def test_leaving_a_service(browser: Browser, make: Factory, corpus: Corpus) -> None:
    me, other = await make.user(), await make.user()
    now = (await user(make, me))["created_at"]
    uid = f"left-{next(_numbers)}"
    for owner, kind in ((me, "oauth"), (me, "google"), (other, "oauth")):
        columns = {"user_id": owner, "identity_type": kind, "uid": uid, "created_at": now, "updated_at": now}
        await make.insert("omniauth_identities", **columns)
    assert (await browser.get("/oauth")).status == 404
    browser.jar = browser.service.signed_in(me, await make.password_of(me))
    assert (await browser.get("/oauth", Sec_Fetch_Site="cross-site")).status == 422
    assert len(await identities(make, uid)) == 3
    origin = f"http://{corpus.env['CANONICAL_HOST']}"
    answer = await browser.get("/oauth", Referer=f"{origin}/profile")
    assert (answer.status, header(answer, "location")) == (302, f"{origin}/profile")
    left = [(row["user_id"], row["identity_type"]) for row in await identities(make, uid)]
    assert sorted(left) == sorted([(me, "google"), (other, "oauth")])
    answer = await browser.get("/google", Referer="https://elsewhere.example/")
    assert (answer.status, header(answer, "location")) == (302, f"{origin}/")
    assert (await browser.get("/google")).status == 404
    assert (await user(make, me))["last_seen_at"] is not None


@pytest.mark.parametrize(
    ("back_to", "place"),
    [
        ("http://%5B", "/dashboard"),
        ("%0D%0ASet-Cookie:a=b", "/dashboard"),
        ("/d/%C3%A4", "/d/ä"),
        ("//elsewhere.example", "/dashboard"),
        ("https:elsewhere.example", "/dashboard"),
        ("javascript:alert(1)", "/dashboard"),
        ("%5C%5Celsewhere.example", r"/\\elsewhere.example"),
    ],
)
async def test_odd_places_to_go_back_to(browser: Browser, corpus: Corpus, back_to: str, place: str) -> None:
    assert (await browser.get(f"/oauth/oauth?back_to={back_to}")).status == 302
    answer = await browser.get("/oauth/authorize?error=no")
    assert (answer.status, header(answer, "location")) == (
        302,
        f"http://{corpus.env['CANONICAL_HOST']}{place}",
    )
    assert header(answer, "set-cookie") is not None


async def test_pages_with_odd_addresses_are_no_mistake_of_ours(
    service: Service, corpus: Corpus, make: Factory
) -> None:
    me = await make.user()
    now = (await user(make, me))["created_at"]
    columns = {"user_id": me, "identity_type": "oauth", "uid": f"odd-{next(_numbers)}"}
    await make.insert("omniauth_identities", created_at=now, updated_at=now, **columns)
    jar = service.signed_in(me, await make.password_of(me))

    async def ask(path: str) -> bytes:
        cookies = "; ".join(f"{name}={value}" for name, value in jar.items())
        referer = f"http://{corpus.env['CANONICAL_HOST']}/".encode() + b"\xff\xc3\xa4"
        reader, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: {cookies}\r\nReferer: "
        writer.write(head.encode() + referer + b"\r\n\r\n")
        answer = await reader.read()
        writer.close()
        for line in answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n"):
            if line.lower().startswith("set-cookie: "):
                name, _, value = line[12:].split(";")[0].partition("=")
                jar[name] = value
        return answer

    for path in ("/oauth/oauth", "/oauth/authorize?error=no", "/oauth"):
        assert (await ask(path)).startswith(b"HTTP/1.1 302 "), path
