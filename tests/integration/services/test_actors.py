# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who asks: cookies that hold, and those that do not."""

from __future__ import annotations

import base64
from datetime import timedelta

import bcrypt
import msgspec

from contracts.corpus import Corpus
from railscompat.cookies import SignedCookies
from railscompat.session import REMEMBER_COOKIE, SESSION_COOKIE
from tests.factories import Factory
from tests.servicetest import Service, session_cookies


async def private_path(make: Factory, owner: int) -> str:
    """A request that `owner` alone is allowed."""
    group = await make.group()
    await make.membership(group, owner)
    return f"/api/v1/reactions?discussion_ids={await make.discussion(owner, group)}"


async def test_a_session_holds_until_the_password_changes(service: Service, make: Factory) -> None:
    user = await make.user()
    path = await private_path(make, user)
    cookies = service.signed_in(user, await make.password_of(user))
    assert await service.status(path, cookies) == 200
    await make.update("users", user, encrypted_password="$2a$10$another.salt.altogether.and.more")  # noqa: S106
    assert await service.status(path, cookies) == 403


async def test_people_without_a_password_have_sessions_too(service: Service, make: Factory) -> None:
    user = await make.user(encrypted_password="")
    assert await service.status(await private_path(make, user), service.signed_in(user, "")) == 200


async def test_cookies_that_cannot_be_trusted_are_no_cookies(service: Service, make: Factory) -> None:
    user = await make.user()
    path = await private_path(make, user)
    password = await make.password_of(user)
    good = service.signed_in(user, password)[SESSION_COOKIE]
    for value in ("", "x", good[:-1], good.swapcase(), "%00--%00--%00", good * 9):
        assert await service.status(path, {SESSION_COOKIE: value}) == 403
    assert await service.status(path, session_cookies("0" * 64, user, password)) == 403
    assert await service.status(path, service.signed_in(999_999_999, password)) == 403


async def test_closed_and_locked_accounts_are_told_so(
    service: Service, make: Factory, corpus: Corpus
) -> None:
    now = corpus.recorded_at.replace(tzinfo=None)
    cases = {
        "closed": ({"deactivated_at": now}, 401),
        "locked": ({"locked_at": now - timedelta(hours=5)}, 401),
        "locked long ago": ({"locked_at": now - timedelta(hours=7)}, 200),
    }
    for name, (columns, status) in cases.items():
        user = await make.user(**columns)
        cookies = service.signed_in(user, await make.password_of(user))
        answer = await service.get(await private_path(make, user), cookies)
        assert answer.status == status, name
        if status == 401:
            assert list(msgspec.json.decode(answer.body)) == ["error"]
            assert ("WWW-Authenticate", 'Basic realm="Application"') in [
                (header, value) for header, value in answer.headers if header.lower() == "www-authenticate"
            ]


async def test_addresses_that_look_like_spam_are_turned_away(service: Service, make: Factory) -> None:
    user = await make.user(email="somebody@DIIDE.com")
    assert (
        await service.status("/api/v1/boot/version", service.signed_in(user, await make.password_of(user)))
        == 400
    )


async def test_remember_me_speaks_for_somebody_without_a_session(
    service: Service, make: Factory, corpus: Corpus
) -> None:
    now = corpus.recorded_at
    created = now - timedelta(days=3)
    token = "a" * 20
    user = await make.user(remember_token=token, remember_created_at=created.replace(tzinfo=None))
    path = await private_path(make, user)
    signed = SignedCookies(corpus.env["SECRET_KEY_BASE"])

    def cookie(said: str, days_ago: float) -> dict[str, str]:
        made = now - timedelta(days=days_ago)
        value = signed.sign(
            REMEMBER_COOKIE, [[user], said, f"{made.timestamp():.6f}"], expires_at=made + timedelta(weeks=2)
        )
        return {REMEMBER_COOKIE: value}

    assert await service.status(path, cookie(token, 2)) == 200
    assert await service.status(path, cookie("b" * 20, 2)) == 403
    assert await service.status(path, cookie(token, 4)) == 403  # before the last signing out
    assert await service.status(path, cookie(token, 15)) == 403
    assert await service.status(path, {REMEMBER_COOKIE: "tampered--0"}) == 403
    await make.update("users", user, remember_token=None)
    assert await service.status(path, cookie(token, 2)) == 403


async def test_no_cookie_is_set(service: Service, make: Factory) -> None:
    user = await make.user()
    cookies = service.signed_in(
        user, await make.password_of(user), flash={"discard": [], "flashes": {"notice": "x"}}
    )
    answer = await service.get("/api/v1/boot/version", cookies | {"csrftoken": "still there"})
    assert "set-cookie" not in {name.lower() for name, _ in answer.headers}


async def test_passwords_in_headers_are_left_to_rails(service: Service, make: Factory) -> None:
    digest = bcrypt.hashpw(b"quinces", bcrypt.gensalt(4)).decode()
    user = await make.user(encrypted_password=digest, email="basic@factory.example")
    path = await private_path(make, user)
    for password in ("quinces", "wrong"):
        told = base64.b64encode(f"basic@factory.example:{password}".encode()).decode()
        answer = await service.get(path, headers={"Authorization": f"Basic {told}"})
        assert answer.status == 403
    row = await make.connection.fetchrow(
        "SELECT failed_attempts, sign_in_count, current_sign_in_at FROM users WHERE id = $1", user
    )
    assert row is not None
    assert tuple(row) == (0, 0, None)
