# SPDX-License-Identifier: AGPL-3.0-or-later
"""What signing in, out and up does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from railscompat import devise
from services.kernel import locales
from services.kernel.errors import InactiveAccountError
from services.kernel.http import Context
from services.kernel.redeem import redeem_pending
from services.kernel.tokens import base58, below, friendly, random_uuid, record_key, sign_in_code
from services.sessions import policy, store
from services.sessions.mails import login_mail, unlock_mail
from services.sessions.model import Login
from services.sessions.passwords import is_password
from services.sessions.policy import Outcome
from services.users.model import initials, language
from services.users.store import add_version, load_person

SIGNED_IN, SIGNED_OUT = "devise.sessions.signed_in", "devise.sessions.signed_out"
"""Texts that the client shows."""


def column_time(context: Context) -> datetime:
    """The moment as columns hold it."""
    return context.clock().replace(tzinfo=None)


@lru_cache(maxsize=4)
def _unlock_key(secret: str) -> bytes:
    return devise.token_key(secret, "unlock_token")


async def authenticate(context: Context, email: str, password: str) -> Login | None:
    """Whose address and password these are; None where they are nobody's, or the account is locked.

    Counts what was wrong. Raises `InactiveAccountError` for a closed account.
    """
    login = await store.login_of_email(context.db, email=policy.normal_email(email))
    is_right = await is_password(login.encrypted_password if login else None, password)
    if login is None:
        return None
    now = column_time(context)
    attempt = policy.judge(login, is_right, now)
    if attempt.unlocks:
        await store.unlock(context.db, id=login.id, now=now)
    match attempt.outcome:
        case Outcome.RIGHT:
            return login
        case Outcome.CLOSED:
            await do_turn_away(context, login, policy.Refusal.CLOSED)
        case Outcome.WRONG:
            await _count_failure(context, login)
    return None


async def _count_failure(context: Context, login: Login) -> None:
    """Count a wrong password, and lock at the last one. Counting is atomic: tries at the same time all count."""
    (failed,) = await store.count_failure(context.db, id=login.id)
    if failed < context.settings.most_login_attempts:
        return
    token = friendly(context.random)
    digest = devise.token_digest(_unlock_key(context.settings.devise_secret), token)
    if await store.lock(context.db, id=login.id, digest=digest, now=column_time(context)):
        reader = language(await load_person(context.db, login.id))
        await context.postman.send(unlock_mail(login.email or "", token, context.settings, reader))


async def do_turn_away(context: Context, login: Login, refusal: policy.Refusal) -> None:
    """Forget a closed or locked account's browsers. Always raises `InactiveAccountError`."""
    letters = initials(login.name, login.email, is_closed=login.deactivated_at is not None)[:3]
    await store.forget(context.db, id=login.id, initials=letters, now=column_time(context))
    context.web.sign_out()
    raise InactiveAccountError(context.say(refusal))


async def do_sign_in(context: Context, login: Login, *, is_seen: bool) -> None:
    """Sign somebody in, who was found by password, link, code or another service.

    `is_seen` says whether Rails would note when they were last seen: only where the password did it. Raises
    `InactiveAccountError` for accounts that may not sign in.
    """
    now = column_time(context)
    if (refusal := policy.refusal(login, now)) is not None:
        await do_turn_away(context, login, refusal)
    (remember_token,) = await store.track_sign_in(
        context.db,
        id=login.id,
        now=now,
        address=context.address,
        remember_token=friendly(context.random),
        is_seen=is_seen,
        initials=initials(login.name, login.email)[:3],
    )
    context.web.sign_in(login.id, devise.authenticatable_salt(login.encrypted_password))
    context.web.remember(login.id, remember_token, context.clock())
    await redeem_pending(context, context.redeemers, login.id)


async def do_sign_out(context: Context, user_id: int) -> None:
    """Sign somebody out: here, from sockets, and wherever they are remembered."""
    secret_token = random_uuid(context.random)
    await store.sign_out(context.db, id=user_id, secret_token=secret_token, now=column_time(context))
    context.web.sign_out()
    context.web.flash("notice", context.say(SIGNED_OUT))


async def do_rename(context: Context, login: Login, name: str) -> None:
    """Somebody gives their name while signing in; one that no account can have is left aside, as in Loomio."""

    async def write() -> None:
        now = column_time(context)
        letters = initials(name, login.email)[:3]
        await store.rename(context.db, id=login.id, name=name, initials=letters, now=now)
        changes = {"name": [login.name, name]}
        await add_version(context.db, id=login.id, event="update", changes=changes, now=now)

    if name != login.name and not policy.name_problems(name or "-", context.settings.spam):
        await context.db.atomically(write)


def in_words(context: Context, problems: Mapping[str, list[policy.Problem]]) -> dict[str, list[str]]:
    """What is wrong with an account, by field, for whoever filled it in."""
    return {
        name: [context.say(one.text, **one.values) for one in found]
        for name, found in problems.items()
        if found
    }


async def do_mail_code(context: Context, user_id: int, email: str, locale: str, redirect: str | None) -> None:
    """Mail a code; the same row's token makes a link elsewhere."""
    code, token, now = sign_in_code(context.random), base58(context.random), column_time(context)
    await store.add_login_token(
        context.db, user_id=user_id, token=token, code=code, redirect=redirect, now=now
    )
    if not context.settings.spam.search(email):
        await context.postman.send(login_mail(email, code, context.settings, locale))


async def do_register(context: Context, existing: Login | None, email: str, said: dict[str, Any]) -> Login:
    """Keep what somebody says of themselves, in a new account or in one that nobody proved to be theirs.

    The account may be there already, from a try that lacked a name.
    """
    login = existing or await do_add_user(context, email)

    async def write() -> None:
        now = column_time(context)
        newsletter = bool(said.get("email_newsletter", login.email_newsletter))
        await store.complete_user(
            context.db,
            id=login.id,
            name=said["name"],
            initials=initials(said["name"], login.email)[:3],
            newsletter=newsletter,
            accepted=bool(said.get("legal_accepted")),
            now=now,
        )
        changes: dict[str, Any] = {}
        if said["name"] != login.name:
            changes["name"] = [login.name, said["name"]]
        if newsletter != login.email_newsletter:
            changes["email_newsletter"] = [login.email_newsletter, newsletter]
        if changes:
            await add_version(context.db, id=login.id, event="update", changes=changes, now=now)

    await context.db.atomically(write)
    completed = await store.login_of_id(context.db, id=login.id)
    return completed or login


async def do_add_user(
    context: Context, email: str, *, name: str | None = None, verified: bool = False
) -> Login:
    """An account of which no more is known than the address, perhaps a name, and whether the address is theirs."""

    async def write() -> Login | None:
        now = column_time(context)
        username = await _free_username(context, email)
        (user_id,) = await store.add_user(
            context.db,
            email=email,
            verified=verified,
            name=name,
            username=username,
            key=await _free_key(context),
            initials=initials(name, email)[:3],
            unsubscribe_token=base58(context.random),
            email_api_key=base58(context.random),
            api_key=base58(context.random),
            secret_token=base58(context.random),
            now=now,
        )
        changes = {"email": [None, email], "username": [None, username]}
        if name is not None:
            changes["name"] = [None, name]
        await add_version(context.db, id=user_id, event="create", changes=changes, now=now)
        return await store.login_of_id(context.db, id=user_id)

    login = await context.db.atomically(write)
    assert login is not None, "it was just added"  # noqa: S101 (the statement before wrote it)
    return login


async def _free_username(context: Context, email: str) -> str:
    base = policy.base_username(email)
    most = 1
    wanted = base
    while await store.usernames_taken(context.db, name=wanted):
        wanted = f"{base}{1 + below(context.random, most)}"
        most *= 2
    return wanted


async def _free_key(context: Context) -> str:
    while True:
        key = record_key(context.random)
        if not key.isdigit() and not await store.keys_taken(context.db, key=key):
            return key


async def do_detect_locale(context: Context, user_id: int) -> None:
    """Note the language that the browser asks for, where it does."""
    wanted = locales.accepted(context.request.headers.get("Accept-Language"))
    if wanted:
        await store.detect_locale(
            context.db, id=user_id, locale=locales.first_supported(wanted), now=column_time(context)
        )
