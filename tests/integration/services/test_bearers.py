# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tokens for API clients, over the wire: who gets one, what it opens, and when it is over."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
import structlog
from yarl import URL

from contracts.compare import Answer
from contracts.corpus import Corpus
from services.app import application
from services.app.application import METRICS
from services.kernel.http import Context
from services.kernel.routes import Route
from tests.factories import Factory
from tests.servicetest import Service, running_service

GIVE = "/api/banyan/tokens"
ME = "/api/v1/profile/me"
CHANGE = "/api/v1/change"
CSRF = {"csrftoken": "same"}
HEADER = {"X-CSRF-TOKEN": "same"}
SECRET = secrets.token_hex(32)


async def change(context: Context) -> dict[str, Any]:
    """Something that changes rows, for whoever is signed in."""
    return {"by": context.actor.id}


@pytest.fixture
async def service(
    corpus: Corpus, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Service]:
    """The services with tokens, and with a changing route of the test's own."""
    routes = (*application.ROUTES, Route("POST", CHANGE, "change", change))
    monkeypatch.setattr(application, "ROUTES", routes)
    async with running_service(corpus, database_url, BANYAN_JWT_SECRET=SECRET) as running:
        yield running


async def ask(
    service: Service,
    method: str,
    path: str,
    *,
    token: str | None = None,
    cookies: dict[str, str] | None = None,
    body: Any = None,
    **headers: str,
) -> Answer:
    jar = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
    sent = {
        "Accept": "application/json",
        **({"Cookie": jar} if jar else {}),
        **({"Authorization": f"Bearer {token}"} if token is not None else {}),
        **headers,
    }
    url = URL(f"http://127.0.0.1:{service.server.port}{path}", encoded=True)
    async with service.client.request(
        method, url, json=body, headers=sent, skip_auto_headers=["Accept-Encoding"], allow_redirects=False
    ) as answer:
        return Answer(answer.status, list(answer.headers.items()), await answer.read())


def told(answer: Answer) -> Any:
    return msgspec.json.decode(answer.body)


def headers_of(answer: Answer) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers}


async def cookies_of(service: Service, make: Factory, user: int) -> dict[str, str]:
    return service.signed_in(user, await make.password_of(user)) | CSRF


async def token_of(service: Service, make: Factory, user: int) -> str:
    cookies = await cookies_of(service, make, user)
    answer = await ask(service, "POST", GIVE, cookies=cookies, **HEADER)
    assert answer.status == 200, answer.body
    given = told(answer)
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 900)
    assert headers_of(answer)["cache-control"] == "no-store"
    token: str = given["access_token"]
    return token


async def test_a_token_speaks_for_who_got_it(service: Service, make: Factory) -> None:
    user = await make.user()
    token = await token_of(service, make, user)
    answer = await ask(service, "GET", ME, token=token)
    assert told(answer)["users"][0]["id"] == user
    assert "set-cookie" not in headers_of(answer)
    changed = await ask(service, "POST", CHANGE, token=token, body={})  # no other site can send it along
    assert (changed.status, told(changed)) == (200, {"by": user})


async def test_only_who_is_signed_in_by_cookies_and_meant_it_gets_one(
    service: Service, make: Factory
) -> None:
    user = await make.user()
    session = service.signed_in(user, await make.password_of(user))
    token = await token_of(service, make, user)
    cases: list[tuple[dict[str, Any], int]] = [
        ({}, 401),
        ({"cookies": CSRF, **HEADER}, 401),
        ({"cookies": session}, 422),
        ({"cookies": session | CSRF, "X-CSRF-TOKEN": "other"}, 422),
        ({"token": token}, 401),  # a stolen token gets nobody another one
        ({"token": token, "cookies": CSRF, **HEADER}, 401),
        ({"token": token, "cookies": session}, 422),
    ]
    for asked, status in cases:
        assert (await ask(service, "POST", GIVE, **asked)).status == status, asked.keys()
    assert await service.status(GIVE, session) == 404  # nobody is led to it by a link


async def test_a_token_opens_no_session(service: Service, make: Factory) -> None:
    user = await make.user()
    token = await token_of(service, make, user)
    answers = [
        await ask(service, "POST", "/api/v1/sessions", token=token, body={"user": {}}),
        await ask(service, "DELETE", "/api/v1/sessions", token=token, body={}),
    ]
    assert [answer.status for answer in answers] == [401, 204]
    assert (await ask(service, "GET", ME, token=token)).status == 200


async def test_cookies_count_for_nothing_beside_a_token(service: Service, make: Factory) -> None:
    one, other = await make.user(), await make.user()
    token = await token_of(service, make, one)
    cookies = await cookies_of(service, make, other)
    assert told(await ask(service, "GET", ME, token=token, cookies=cookies))["users"][0]["id"] == one
    refused = await ask(service, "GET", ME, token="wrong", cookies=cookies)  # noqa: S106 (nobody's)
    assert (refused.status, list(told(refused))) == (401, ["error"])
    assert headers_of(refused)["www-authenticate"] == 'Bearer error="invalid_token"'
    forged = await ask(service, "POST", CHANGE, token="", cookies=cookies, body={})
    assert forged.status == 401


async def test_a_token_ends_with_what_it_hangs_on(service: Service, make: Factory, corpus: Corpus) -> None:
    now: datetime = corpus.recorded_at.replace(tzinfo=None)
    for columns in (
        {"encrypted_password": "$2a$10$another.salt.altogether.and.more"},
        {"deactivated_at": now},
        {"locked_at": now - timedelta(hours=5)},
        {"secret_token": secrets.token_hex(8)},
    ):
        user = await make.user()
        token = await token_of(service, make, user)
        assert (await ask(service, "GET", ME, token=token)).status == 200
        await make.update("users", user, **columns)
        assert (await ask(service, "GET", ME, token=token)).status == 401, columns.keys()


async def test_signing_out_ends_it(service: Service, make: Factory) -> None:
    user = await make.user()
    token = await token_of(service, make, user)
    cookies = await cookies_of(service, make, user)
    assert (
        await ask(service, "DELETE", "/api/v1/sessions", cookies=cookies, body={}, **HEADER)
    ).status == 200
    assert (await ask(service, "GET", ME, token=token)).status == 401


async def test_it_is_over_after_its_time(
    service: Service, make: Factory, corpus: Corpus, database_url: str
) -> None:
    token = await token_of(service, make, await make.user())
    for minutes, status in ((14, 200), (16, 401), (-2, 401)):
        now = (corpus.recorded_at + timedelta(minutes=minutes)).isoformat()
        settings = {"BANYAN_JWT_SECRET": SECRET, "BANYAN_NOW": now}
        async with running_service(corpus, database_url, **settings) as later:
            assert (await ask(later, "GET", ME, token=token)).status == status, minutes


async def test_without_a_secret_there_are_no_tokens(
    service: Service, make: Factory, corpus: Corpus, database_url: str
) -> None:
    user = await make.user()
    token, cookies = await token_of(service, make, user), await cookies_of(service, make, user)
    async with running_service(corpus, database_url) as off:
        assert (await ask(off, "POST", GIVE, cookies=cookies, **HEADER)).status == 404
        assert (await ask(off, "GET", ME, token=token)).status == 403
        answer = await ask(off, "GET", ME, token=token, cookies=cookies)  # as Rails: the header says nothing
        assert told(answer)["users"][0]["id"] == user
        assert (
            await ask(off, "POST", CHANGE, token=token, body={})
        ).status == 200  # by nobody, without cookies
        forged = await ask(off, "POST", CHANGE, token=token, cookies=cookies, body={})
        assert forged.status == 422


async def test_tokens_are_in_no_line_and_no_metric(service: Service, make: Factory) -> None:
    token = await token_of(service, make, await make.user())
    with structlog.testing.capture_logs() as lines:
        await ask(service, "GET", ME, token=token)
        await ask(service, "GET", ME, token=token[:-1])
    app = service.server.app  # type: ignore[attr-defined]  # a TestServer of an application has it
    text = str(lines) + str(app[METRICS].samples({}))
    assert "invalid_token" in text
    assert token[:40] not in text
    assert SECRET not in text
