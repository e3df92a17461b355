# SPDX-License-Identifier: AGPL-3.0-or-later
"""API keys: whom they let in, where, and that nobody hears of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import structlog
from yarl import URL

from contracts.compare import Answer
from contracts.corpus import Corpus
from services.app import application
from services.app.application import METRICS
from services.kernel.credential import Credential
from services.kernel.errors import AccessDeniedError
from services.kernel.http import Context
from services.kernel.routes import Route
from services.users import accounts
from services.users.serializer import USER
from services.users.store import load_person
from tests.factories import Factory
from tests.servicetest import Service, running_service

MINE = "/api/b2/mine"
KEY = "the-installation's-own-key"
FALLS = "/api/b2/falls"


async def mine(context: Context) -> dict[str, Any]:
    """Whoever asks, in a real serializer."""
    person = await load_person(context.db, context.actor.id or 0)
    return await context.respond(USER, [person])


async def falls(_context: Context) -> None:
    raise RuntimeError("on purpose")


ROUTES = (
    Route("GET", MINE, "b2/mine", mine, takes=Credential.B2),
    Route("POST", MINE, "b2/mine", mine, takes=Credential.B2),
    Route("POST", FALLS, "b2/falls", falls, takes=Credential.B2),
    Route("GET", "/api/v1/mine", "mine", mine),
    *accounts.ROUTES,
)


@pytest.fixture
async def service(
    corpus: Corpus, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Service]:
    """The services with routes of the test's own, and the installation's key."""
    monkeypatch.setattr(application, "ROUTES", ROUTES)
    settings = {"B3_API_KEY": KEY, "BANYAN_LOG_REQUESTS": "on", "BANYAN_SLOW_QUERY_MS": "0"}
    async with running_service(corpus, database_url, **settings) as running:
        yield running


async def post(service: Service, path: str, body: Any, **headers: str) -> Answer:
    """A changing request of a program: without cookies and tokens, unless `headers` have them."""
    url = URL(f"http://127.0.0.1:{service.server.port}{path}", encoded=True)
    sent = {"Accept": "application/json", **headers}
    async with service.client.post(
        url, json=body, headers=sent, skip_auto_headers=["Accept-Encoding"]
    ) as answer:
        return Answer(answer.status, list(answer.headers.items()), await answer.read())


def told(answer: Answer) -> Any:
    return msgspec.json.decode(answer.body)


DENIED = AccessDeniedError.exception


async def test_the_key_of_an_account_speaks_for_it(service: Service, make: Factory) -> None:
    user = await make.user(api_key="a-key-of-an-account", selected_locale="fr")
    for answer in (
        await service.get(f"{MINE}?api_key=a-key-of-an-account"),
        await service.get(f"{MINE}.json?api_key=a-key-of-an-account"),
        await post(service, MINE, {"api_key": "a-key-of-an-account"}),
        await post(service, f"{MINE}?api_key=a-key-of-an-account", {}, **{"X-CSRF-TOKEN": "wrong"}),
    ):
        assert answer.status == 200, answer.body
        assert told(answer)["users"][0]["id"] == user
        assert "set-cookie" not in {name.lower() for name, _ in answer.headers}


async def test_other_keys_are_refused(service: Service, make: Factory) -> None:
    await make.user(api_key=None)
    await make.user(api_key="")
    for path in (
        MINE,
        f"{MINE}?api_key",
        f"{MINE}?api_key=",
        f"{MINE}?api_key=nobody's",
        f"{MINE}?api_key=%25",
    ):
        answer = await service.get(path)
        assert (answer.status, told(answer)["exception"]) == (403, DENIED), path
    assert await service.status(f"{MINE}?api_key[]=x") == 400
    assert (await post(service, MINE, {"api_key": ["x"]})).status == 403


async def test_closed_accounts_have_no_key_and_locked_ones_do(
    service: Service, make: Factory, corpus: Corpus
) -> None:
    now = corpus.recorded_at.replace(tzinfo=None)
    await make.user(api_key="a-key-of-a-closed-one", deactivated_at=now)
    await make.user(api_key="a-key-of-a-locked-one", locked_at=now)
    assert await service.status(f"{MINE}?api_key=a-key-of-a-closed-one") == 403
    assert await service.status(f"{MINE}?api_key=a-key-of-a-locked-one") == 200


async def test_each_route_takes_one_kind(service: Service, make: Factory) -> None:
    user = await make.user(api_key="one-kind-alone", email="someone@factory.example")
    cookies = service.signed_in(user, await make.password_of(user))
    assert await service.status(MINE, cookies) == 403
    assert await service.status("/api/v1/mine?api_key=one-kind-alone") == 404
    assert await service.status("/api/v1/mine", cookies) == 200
    for name in ("api_key", "b3_api_key"):
        answer = await post(service, "/api/b3/users/deactivate", {name: "one-kind-alone", "id": user})
        assert answer.status == 403


async def test_a_request_with_a_key_that_reads_can_only_read(service: Service, make: Factory) -> None:
    other = await make.user(api_key="reads-and-no-more")
    cookies = service.signed_in(other, "", pending_user_id=other)
    answer = await service.get(f"{MINE}?api_key=reads-and-no-more&membership_token=x", cookies)
    assert answer.status == 200
    assert "set-cookie" not in {name.lower() for name, _ in answer.headers}  # what waits there still waits


@pytest.mark.parametrize("right", ["", "sixteen-letters!", KEY])
async def test_the_installations_key_must_be_long_and_right(
    corpus: Corpus, database_url: str, make: Factory, right: str
) -> None:
    user = await make.user()
    async with running_service(corpus, database_url, B3_API_KEY=right) as service:
        for given in (right, f"{right}x", right[:-1], "ключ", None):
            answer = await post(service, "/api/b3/users/deactivate", {"b3_api_key": given, "id": user})
            expected = 200 if given == right == KEY else 403
            assert answer.status == expected, given


async def test_who_was_closed_comes_back_with_what_closing_took(
    service: Service, make: Factory, corpus: Corpus
) -> None:
    closed = corpus.recorded_at.replace(tzinfo=None, microsecond=123_456)
    user = await make.user(name="Ada Byron", deactivated_at=closed, avatar_initials="DU")
    lost, left, stays = [await make.group(memberships_count=7) for _ in range(3)]
    await make.membership(lost, user, revoked_at=closed, revoker_id=user)
    await make.membership(left, user, revoked_at=closed.replace(microsecond=123_457), revoker_id=user)
    await make.membership(stays, await make.user())
    answers = [
        await post(service, "/api/b3/users/reactivate?b3_api_key=" + KEY, {"id": one})
        for one in (str(user), user, "no number", None, True, 2**70)
    ]
    assert [answer.status for answer in answers] == [200, 404, 404, 404, 404, 404]
    row = await make.connection.fetchrow(
        "SELECT deactivated_at, avatar_initials FROM users WHERE id = $1", user
    )
    assert row is not None
    assert tuple(row) == (None, "AB")
    counts = await make.connection.fetch(
        "SELECT memberships_count FROM groups WHERE id = ANY($1) ORDER BY id", [lost, left, stays]
    )
    assert [row["memberships_count"] for row in counts] == [1, 0, 7]


async def test_who_was_erased_is_not_opened_again(service: Service, make: Factory, corpus: Corpus) -> None:
    closed = corpus.recorded_at.replace(tzinfo=None)
    user = await make.user(name=None, email=None, username=None, deactivated_at=closed)
    body = {"id": user, "b3_api_key": KEY}
    assert (await post(service, "/api/b3/users/reactivate", body)).status == 200
    assert await make.connection.fetchval("SELECT deactivated_at FROM users WHERE id = $1", user) == closed


async def test_keys_are_in_no_line_and_no_metric(service: Service, make: Factory) -> None:
    await make.user(api_key="hush-hush-account")
    with structlog.testing.capture_logs() as lines:
        assert await service.status(f"{MINE}?api_key=hush-hush-account") == 200
        assert await service.status(f"{MINE}?api_key=hush-hush-nobody") == 403
        assert (await post(service, FALLS, {"api_key": "hush-hush-account"})).status == 500
        body = {"b3_api_key": KEY, "id": await make.user()}
        assert (await post(service, "/api/b3/users/deactivate", body)).status == 200
    assert {"request", "slow query", "internal error"} <= {line["event"] for line in lines}
    app = service.server.app  # type: ignore[attr-defined]  # a TestServer of an application has it
    text = str(lines) + str(app[METRICS].samples({}))
    assert "b2/mine" in text
    assert "hush" not in text
    assert KEY not in text
