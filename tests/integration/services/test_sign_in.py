# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signing in and out with real cookies, letter for letter, and what must not be possible."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import groupby
from typing import Any
from urllib.parse import unquote

import bcrypt
import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from rubymarshal.reader import loads
from yarl import URL

from contracts.compare import Answer
from contracts.corpus import Corpus, Exchange
from contracts.verify import MailServer
from railscompat import strict64
from tests.factories import NOW, Factory
from tests.servicetest import Service, running_service

PASSWORD = "quinces & medlars, all of them"  # noqa: S105 (made for this test)
DIGEST = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
CSRF = {"csrftoken": "same"}
HEADER = {"X-CSRF-TOKEN": "same"}


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with MailServer().listening("127.0.0.1", 0) as server:
        yield server


@pytest.fixture
async def service(corpus: Corpus, database_url: str, mail: MailServer) -> AsyncIterator[Service]:
    more = {"SMTP_SERVER": "127.0.0.1", "SMTP_PORT": str(mail.port), "MAX_LOGIN_ATTEMPTS": "3"}
    async with running_service(corpus, database_url, **more) as running:
        yield running


async def send(
    service: Service,
    method: str,
    path: str,
    body: Any = None,
    cookies: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """A changing request from a page of ours, unless the arguments say otherwise."""
    jar = "; ".join(f"{name}={value}" for name, value in (CSRF if cookies is None else cookies).items())
    sent = {
        "Accept": "application/json",
        **({"Cookie": jar} if jar else {}),
        **(HEADER if headers is None else headers),
    }
    url = URL(f"http://127.0.0.1:{service.server.port}{path}", encoded=True)
    async with service.client.request(
        method,
        url,
        json=body,
        headers=sent,
        allow_redirects=False,
        skip_auto_headers=["Accept-Encoding"],
    ) as answer:
        return Answer(answer.status, list(answer.headers.items()), await answer.read())


def cookies_of(answer: Answer) -> dict[str, str]:
    lines = [value.split(";")[0] for name, value in answer.headers if name.lower() == "set-cookie"]
    return dict(line.split("=", 1) for line in lines)


async def sign_in(service: Service, email: str, password: str = PASSWORD) -> Answer:
    return await send(service, "POST", "/api/v1/sessions", {"user": {"email": email, "password": password}})


def opened(secret: str, cookie: str) -> Any:
    """A session cookie as another implementation opens it."""
    key = PBKDF2HMAC(hashes.SHA1(), 32, b"authenticated encrypted cookie", 1000).derive(secret.encode())
    text, nonce, tag = (strict64.decode(part.encode()) for part in unquote(cookie).split("--"))
    return loads(AESGCM(key).decrypt(nonce, text + tag, None))


async def member(make: Factory, **columns: Any) -> tuple[int, str]:
    user = await make.user(encrypted_password=DIGEST, **columns)
    email: str = await make.connection.fetchval("SELECT email::text FROM users WHERE id = $1", user)
    return user, email


def by_actor(corpus: Corpus) -> Iterator[tuple[str, dict[str, Exchange]]]:
    exchanges = [one for one in corpus.wire() if one.endpoint == "sessions"]
    for actor, group in groupby(exchanges, lambda one: one.actor):
        yield actor, {one.form: one for one in group}


def parts(text: str) -> tuple[str, list[tuple[str, str]], str]:
    head, _, body = text.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    return first, [(line.partition(": ")[0], line.partition(": ")[2]) for line in lines], body


async def test_recorded_exchanges_are_repeated_to_the_letter(corpus: Corpus, sample_url: str) -> None:
    """Sign in, ask, come back remembered, sign out, and a wrong password: cookies but for their values."""
    for actor, forms in by_actor(corpus):
        if "sign in" not in forms:
            continue
        _, recorded, _ = parts(forms["sign in"].response)
        token = next(value for name, value in recorded if value.startswith("csrftoken="))
        expires = parsedate_to_datetime(token.split("expires=")[1].split(";")[0]).replace(tzinfo=UTC)
        now = (expires - timedelta(days=1)).isoformat()
        async with running_service(corpus, sample_url, BANYAN_NOW=now) as service:
            jar: dict[str, str] = {}
            for form in ("sign in", "signed in", "remembered", "sign out", "wrong password"):
                if form in forms:
                    await repeat(service, f"{actor} {form}", forms[form], jar)


async def repeat(service: Service, name: str, exchange: Exchange, jar: dict[str, str]) -> None:
    first, headers, body = parts(exchange.request)
    method, path, _ = first.split(" ")
    sent = dict(headers)
    recorded_jar = dict(pair.split("=", 1) for pair in sent.pop("Cookie", "").split("; ") if pair)
    ours = {key: jar.get(key, value) for key, value in recorded_jar.items()}
    token = {"X-CSRF-TOKEN": sent["X-CSRF-TOKEN"]} if "X-CSRF-TOKEN" in sent else {}
    if "X-CSRF-TOKEN" in sent:
        ours["csrftoken"] = recorded_jar["csrftoken"]
    answer = await send(service, method, path, msgspec.json.decode(body) if body else None, ours, token)
    status, recorded, recorded_body = parts(exchange.response)
    assert f"HTTP/1.1 {answer.status} " in f"{status} ", name
    assert answer.body == recorded_body.encode("latin-1"), name
    told = {line.split("=")[0]: line for key, line in recorded if key == "set-cookie"}
    for key, line in answer.headers:
        if key.lower() == "set-cookie":
            known = told[line.split("=")[0]]
            assert shape(line) == shape(known), name
    if exchange.form == "sign in":
        jar.update(cookies_of(answer))
        assert list(cookies_of(answer)) == list(told), name


def shape(line: str) -> list[str]:
    """A Set-Cookie line without what differs by itself: the value, and the second it expires."""
    pair, *attributes = line.split("; ")
    return [pair.split("=")[0], *(text[:-6] if text.startswith("expires") else text for text in attributes)]


async def test_cookies_made_here_are_opened_by_others(
    service: Service, make: Factory, corpus: Corpus
) -> None:
    user, email = await member(make)
    session = opened(corpus.env["SECRET_KEY_BASE"], cookies_of(await sign_in(service, email))["_loomio"])
    assert session["warden.user.user.key"] == [[user], DIGEST[:29]]
    assert len(session["session_id"]) == 32
    assert len(session["_csrf_token"]) == 43
    assert session["flash"]["flashes"]["notice"]


async def test_a_sign_in_keeps_what_it_does_not_know(service: Service, make: Factory, corpus: Corpus) -> None:
    _, email = await member(make)
    before = service.signed_in(0, "", back_to="/d/somewhere", session_id="before")
    body = {"user": {"email": email, "password": PASSWORD}}
    answer = await send(service, "POST", "/api/v1/sessions", body, CSRF | before)
    session = opened(corpus.env["SECRET_KEY_BASE"], cookies_of(answer)["_loomio"])
    assert session["back_to"] == "/d/somewhere"
    assert session["session_id"] != "before"


async def test_what_is_signed_in_here_is_signed_in_and_out(service: Service, make: Factory) -> None:
    user, email = await member(make)
    jar = cookies_of(await sign_in(service, email))
    answer = await service.get("/api/v1/profile/me", jar)
    assert msgspec.json.decode(answer.body)["users"][0]["id"] == user
    secret = await make.connection.fetchval("SELECT secret_token FROM users WHERE id = $1", user)
    left = await send(service, "DELETE", "/api/v1/sessions", {}, jar | CSRF)
    assert left.status == 200
    assert cookies_of(left)["signed_in"] == ""
    assert await service.status("/api/v1/profile/me", cookies_of(left)) == 403
    assert await make.connection.fetchval("SELECT secret_token FROM users WHERE id = $1", user) != secret
    old = {name: jar[name] for name in ("remember_user_token",)}
    assert await service.status("/api/v1/profile/me", old) == 403


async def test_who_is_remembered_is_signed_in_again(service: Service, make: Factory, corpus: Corpus) -> None:
    user, email = await member(make)
    jar = cookies_of(await sign_in(service, email))
    remembered = {"remember_user_token": jar["remember_user_token"]}
    answer = await service.get("/api/v1/profile/me", remembered)
    assert msgspec.json.decode(answer.body)["users"][0]["sign_in_count"] == 2
    session = opened(corpus.env["SECRET_KEY_BASE"], cookies_of(answer)["_loomio"])
    assert session["warden.user.user.key"] == [[user], DIGEST[:29]]
    shadow = await service.get("/api/v1/profile/me", remembered, {"X-Banyan-Shadow": "1"})
    assert shadow.status == 200
    assert cookies_of(shadow) == {}


async def test_forged_requests_change_nothing(service: Service, make: Factory) -> None:
    user, email = await member(make)
    jar = cookies_of(await sign_in(service, email))
    good = jar["csrftoken"]
    session = {"_loomio": jar["_loomio"]}
    cases: list[tuple[dict[str, str], dict[str, str], int]] = [
        (session, {}, 422),  # neither: Loomio takes it
        (session, {"X-CSRF-TOKEN": "wrong"}, 422),
        (session | {"csrftoken": "one"}, {"X-CSRF-TOKEN": "another"}, 422),
        ({"remember_user_token": jar["remember_user_token"]}, {}, 422),
        (session, {"X-CSRF-TOKEN": good}, 200),  # a token of this session
    ]
    for cookies, headers, status in cases:
        answer = await send(service, "DELETE", "/api/v1/sessions", {}, cookies, headers)
        assert answer.status == status, (cookies.keys(), headers)
        if status == 422:
            assert msgspec.json.decode(answer.body) == {"status": 422, "error": "Unprocessable Content"}
    assert await make.connection.fetchval("SELECT remember_token FROM users WHERE id = $1", user) is None


async def test_wrong_passwords_at_once_all_count_and_lock_once(
    service: Service, make: Factory, mail: MailServer
) -> None:
    user, email = await member(make)
    answers = await asyncio.gather(*(sign_in(service, email, "wrong") for _ in range(6)))
    assert {answer.status for answer in answers} == {401}
    row = await make.connection.fetchrow("SELECT failed_attempts, locked_at FROM users WHERE id = $1", user)
    assert row is not None
    assert row["failed_attempts"] == 6
    assert row["locked_at"] is not None
    assert [one.recipients for one in mail.taken] == [(email,)]
    locked = await sign_in(service, email)
    assert msgspec.json.decode(locked.body) == {"errors": {"password": ["auth_form.account_locked"]}}


async def test_a_lock_ends_after_six_hours(service: Service, make: Factory, corpus: Corpus) -> None:
    now = corpus.recorded_at.replace(tzinfo=None)
    user, email = await member(make, failed_attempts=20, locked_at=now - timedelta(hours=7))
    assert (await sign_in(service, email)).status == 200
    row = await make.connection.fetchrow("SELECT failed_attempts, locked_at FROM users WHERE id = $1", user)
    assert row is not None
    assert tuple(row) == (0, None)


async def code_of(make: Factory, user: int) -> int:
    code: int = await make.connection.fetchval(
        "SELECT code FROM login_tokens WHERE user_id = $1 ORDER BY id DESC", user
    )
    return code


async def test_a_code_works_once_even_for_many_at_once(
    service: Service, make: Factory, mail: MailServer
) -> None:
    user, email = await member(make)
    assert (await send(service, "POST", "/api/v1/login_tokens", {"email": email})).status == 200
    code = await code_of(make, user)
    assert str(code) in mail.taken[0].content.decode()
    body = {"user": {"email": email, "code": code}}
    answers = await asyncio.gather(*(send(service, "POST", "/api/v1/sessions", body) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401]


async def followed_link(service: Service, make: Factory, user: int, **columns: Any) -> dict[str, str]:
    """The cookies of a browser that followed a mailed link of this person's, which is made where there is none."""
    token = await make.connection.fetchval("SELECT token FROM login_tokens WHERE user_id = $1", user)
    if token is None:
        token = f"link{user}"
        defaults = {
            "code": 1,
            "created_at": service.corpus.recorded_at.replace(tzinfo=None),
            "updated_at": NOW,
        }
        await make.insert("login_tokens", user_id=user, token=token, **defaults | columns)
    followed = await send(service, "GET", f"/login_tokens/{token}", None, {}, {})
    assert followed.status == 302
    return cookies_of(followed)


async def test_a_link_lets_in_one_of_many_browsers_that_followed_it(service: Service, make: Factory) -> None:
    user, email = await member(make)
    jars = [await followed_link(service, make, user) for _ in range(6)]
    body = {"user": {"email": email}}
    answers = await asyncio.gather(
        *(send(service, "POST", "/api/v1/sessions", body, jar | CSRF) for jar in jars)
    )
    assert sorted(answer.status for answer in answers) == [200, *[401] * 5]
    signed_in = await make.connection.fetchval("SELECT sign_in_count FROM users WHERE id = $1", user)
    assert signed_in == 1
    for jar in jars:
        assert (await send(service, "POST", "/api/v1/sessions", body, jar | CSRF)).status == 401


async def test_a_closed_account_uses_up_neither_link_nor_code(
    service: Service, make: Factory, corpus: Corpus
) -> None:
    now = corpus.recorded_at.replace(tzinfo=None)
    for columns, open_again in (
        ({"deactivated_at": now}, {"deactivated_at": None}),
        ({"locked_at": now}, {"locked_at": None}),
    ):
        for by in ("link", "code"):
            user, email = await member(make, **columns)
            jar = await followed_link(service, make, user, code=300_000 + user)
            said = {"email": email} | ({} if by == "link" else {"code": 300_000 + user})
            cookies = (jar if by == "link" else {}) | CSRF
            refused = await send(service, "POST", "/api/v1/sessions", {"user": said}, cookies)
            assert (refused.status, list(msgspec.json.decode(refused.body))) == (401, ["error"]), by
            await make.update("users", user, **open_again)
            answer = await send(service, "POST", "/api/v1/sessions", {"user": said}, cookies)
            assert answer.status == 200, by


async def test_a_link_proves_an_address_for_a_day(service: Service, make: Factory, corpus: Corpus) -> None:
    made = corpus.recorded_at.replace(tzinfo=None)
    for age, proves in ((timedelta(hours=23), True), (timedelta(hours=25), False)):
        user, email = await member(make, email_verified=False, name=None)
        jar = await followed_link(service, make, user, created_at=made - age)
        body = {"user": {"email": email, "name": "Newly Here", "legal_accepted": True}}
        answer = await send(service, "POST", "/api/v1/registrations", body, jar | CSRF)
        assert answer.status == 200, answer.body
        assert msgspec.json.decode(answer.body)["signed_in"] is proves


async def test_links_and_codes_end_after_a_day(service: Service, make: Factory, corpus: Corpus) -> None:
    user, email = await member(make)
    made: datetime = corpus.recorded_at.replace(tzinfo=None)
    old = {"created_at": made - timedelta(days=1, minutes=1), "updated_at": made}
    await make.insert("login_tokens", user_id=user, token=f"old{user}", code=100000 + user, **old)
    body = {"user": {"email": email, "code": 100000 + user}}
    assert (await send(service, "POST", "/api/v1/sessions", body)).status == 401
    followed = await send(service, "GET", f"/login_tokens/old{user}", None, {}, {})
    assert followed.status == 302
    jar = cookies_of(followed)
    answer = await send(service, "POST", "/api/v1/sessions", {"user": {"email": email}}, jar | CSRF)
    assert answer.status == 401


async def test_a_mail_server_that_is_away_is_said(corpus: Corpus, database_url: str, make: Factory) -> None:
    _, email = await member(make)
    async with running_service(corpus, database_url, SMTP_SERVER="127.0.0.1", SMTP_PORT="9") as service:
        answer = await send(service, "POST", "/api/v1/login_tokens", {"email": email})
    assert answer.status == 503


@pytest.mark.parametrize(
    "body",
    [[], {"user": []}, {"user": {"email": {}, "password": []}}, {"user": {"code": True, "email": "x"}},
     {"user": {"code": "9" * 50, "email": "x"}}, {"user": {"email": "\u0000", "password": "x"}}, {"user": None}],
)  # fmt: skip
async def test_odd_bodies_are_no_errors_of_ours(service: Service, body: Any) -> None:
    for path in ("/api/v1/sessions", "/api/v1/registrations", "/api/v1/login_tokens"):
        assert 400 <= (await send(service, "POST", path, body)).status < 500


async def test_nobody_is_led_elsewhere(service: Service, corpus: Corpus) -> None:
    origin = f"http://{corpus.env['CANONICAL_HOST']}"
    for back_to, location in (
        ("/d/there", f"{origin}/d/there"),
        ("https://elsewhere.example/", f"{origin}/dashboard"),
        ("//elsewhere.example/", f"{origin}/dashboard"),
    ):
        left = await service.get(f"/google/oauth?back_to={back_to}")
        answer = await service.get("/google/authorize?error=access_denied", cookies_of(left))
        assert {name.lower(): value for name, value in answer.headers}.get("location") == location, (
            answer.status
        )


async def test_what_is_too_long_is_left_aside(service: Service, make: Factory) -> None:
    user, email = await member(make)
    body = {"user": {"email": email, "password": PASSWORD, "name": "x" * 300}}
    assert (await send(service, "POST", "/api/v1/sessions", body)).status == 200
    assert await make.connection.fetchval("SELECT length(name) < 100 FROM users WHERE id = $1", user)
    assert (await service.get(f"/google/oauth?back_to=/{'x' * 5000}")).status == 302
