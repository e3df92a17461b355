# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of signing in, out and up."""

from __future__ import annotations

import urllib.parse
from http import HTTPStatus
from typing import Any

from services.kernel.body import text_of
from services.kernel.credential import Credential
from services.kernel.errors import (
    InvalidRecordError,
    NotFoundError,
    ParameterMissingError,
    UnpermittedParametersError,
)
from services.kernel.http import Context, Handler, Reply, redirect
from services.kernel.parameters import text
from services.kernel.redeem import Redeemer
from services.kernel.routes import Route
from services.sessions import actions, policy, store
from services.sessions.model import Login
from services.users import pending
from services.users.model import language
from services.users.payload import local_time, user_payload
from services.users.store import load_person, load_person_of_email

INVALID = "auth_form.invalid_password"
LOCKED = "auth_form.account_locked"
SIGN_UP_FIELDS = frozenset(("name", "email", "legal_accepted", "email_newsletter"))


def said_of_user(context: Context) -> dict[str, Any]:
    """What the request says under `user`."""
    said = context.body.get("user")
    return said if isinstance(said, dict) else {}


async def create(context: Context) -> Reply:
    """Sign in: by password, by the link that this browser followed, or by a mailed code."""
    said = said_of_user(context)
    email, password, name = (text_of(said, one) for one in ("email", "password", "name"))
    by_password: Login | None = None
    if context.actor.id is not None:
        by_password = await store.login_of_id(context.db, id=context.actor.id)
        await store.see(context.db, id=context.actor.id, now=actions.column_time(context))
    elif email and password:
        by_password = await actions.authenticate(context, email, password)
        if by_password is not None:
            await actions.do_sign_in(context, by_password, is_seen=True)
    login = await _by_token(context, said) or (None if "code" in said else by_password)
    context.web.give_token()
    if login is None:
        context.web.drop("pending_login_token")
        locked = password is not None and bool(await store.locked_ids(context.db, email=email))
        return Reply({"errors": {"password": [LOCKED if locked else INVALID]}}, HTTPStatus.UNAUTHORIZED)
    if by_password is None or by_password.id != login.id:
        await actions.do_sign_in(context, login, is_seen=False)
    context.web.flash("notice", context.say(actions.SIGNED_IN))
    if name is not None:
        await actions.do_rename(context, login, name)
    context.web.drop("pending_login_token")
    context.web.give_token()
    return Reply(await signed_in_payload(context, login.id, in_own_zone=by_password is not None))


async def signed_in_payload(context: Context, user_id: int, *, in_own_zone: bool) -> dict[str, Any]:
    """What the client learns after signing in. Pages of somebody known from the beginning tell times in their zone."""
    person = await load_person(context.db, user_id)
    payload = user_payload(context, person)
    if in_own_zone and person.created_at is not None:
        payload["users"][0]["created_at"] = local_time(person.created_at, person)
    return payload


async def _by_token(context: Context, said: dict[str, Any]) -> Login | None:
    """Who followed a link, or has a code; it is used up then."""
    link = await pending.find_login_token(context)
    if link is not None and pending.is_usable(link, context.clock(), context.settings):
        return await _let_in(context, link)
    if "code" not in said:
        return None
    code, email = text_of(said, "code"), text_of(said, "email")
    for name, value in (("code", code), ("email", email)):
        if not value:
            raise ParameterMissingError(name)
    number = int(code) if code is not None and code.isascii() and code.isdigit() and len(code) < 10 else -1
    mailed = await store.token_of_code(context.db, code=number, email=email)
    if mailed is None or not pending.is_usable_since(
        mailed.used, mailed.created_at, context.clock(), context.settings
    ):
        return None
    return await _let_in(context, mailed)


async def _let_in(context: Context, token: pending.LoginToken) -> Login | None:
    """Whom a link or a code lets in, the first time; of several at the same time it lets in one.

    An account that may not sign in leaves it as it is, and is turned away later.
    """
    now = actions.column_time(context)
    login = await store.login_of_id(context.db, id=token.user_id)
    if login is None or policy.refusal(login, now) is not None:
        return login
    return login if await store.use_token(context.db, token=token.token, now=now) else None


async def welcome(context: Context) -> None:
    """Sign in somebody whom a remember-me cookie speaks for: from here on they have a session again."""
    login = None if context.actor.id is None else await store.login_of_id(context.db, id=context.actor.id)
    if login is not None:
        await actions.do_sign_in(context, login, is_seen=False)
        context.web.give_token()


async def destroy(context: Context) -> Reply:
    """Sign out."""
    if context.actor.id is None:
        return Reply(status=HTTPStatus.NO_CONTENT)
    await actions.do_sign_out(context, context.actor.id)
    context.web.give_token()
    return Reply({"success": "ok"})


async def mail_login_token(context: Context) -> Reply:
    """Mail a code to an address."""
    email = text_of(context.body, "email") or context.params.text("email")
    if not email:
        raise ParameterMissingError("email")
    person = await load_person_of_email(context.db, email)
    if person is None:
        raise NotFoundError("User")
    await actions.do_detect_locale(context, person.id)
    await actions.do_mail_code(
        context, person.id, person.email or email, language(person), _came_from(context)
    )
    context.web.give_token()
    return Reply({"success": "ok"})


def _came_from(context: Context) -> str | None:
    """The path of the page of ours that the request came from."""
    try:
        page = urllib.parse.urlsplit(context.request.headers.get("Referer", ""))
        return page.path if page.hostname == context.settings.site.host else None
    except ValueError:
        return None


async def follow_login_token(context: Context) -> Reply:
    """A mailed link was followed: it signs in at the next request of the client."""
    token = context.params.text("token") or ""
    found = await pending.load_login_token(context.db, token=token)
    if found is None:
        raise NotFoundError("LoginToken")
    context.web.put("pending_login_token", found.token)
    context.web.give_token()
    return redirect(f"{context.settings.site.origin}{found.redirect or '/dashboard'}")


async def register(context: Context) -> Reply:
    """Sign up: signed in at once where the address is proven, else with a code by mail."""
    said = said_of_user(context)
    if unknown := sorted(said.keys() - SIGN_UP_FIELDS):
        raise UnpermittedParametersError(unknown)
    given = text_of(said, "email")
    email = None if given is None else policy.normal_email(given)
    context.web.give_token()
    await _check_may_register(context)
    if given is not None and await store.login_of_email(context.db, email=email) is not None:
        raise InvalidRecordError({"email": [context.say("auth_form.email_taken")]})
    is_proven = await _proven_email(context) == given
    existing = await store.unverified_of_email(context.db, email=email)
    name = text_of(said, "name")
    name = (name if name is not None else existing.name if existing else None) or None
    errors = await _problems(context, existing, email, name, accepted=bool(said.get("legal_accepted")))
    if "email" not in errors and existing is None and errors:
        await actions.do_add_user(context, email or "")
    if errors:
        raise InvalidRecordError(errors)
    login = await actions.do_register(context, existing, email or "", said | {"name": name})
    await actions.do_detect_locale(context, login.id)
    if is_proven:
        await actions.do_sign_in(context, login, is_seen=False)
        context.web.flash("notice", context.say(actions.SIGNED_IN))
        context.web.give_token()
        payload = await signed_in_payload(context, login.id, in_own_zone=False)
        return Reply(payload | {"success": "ok", "signed_in": True})
    person = await load_person(context.db, login.id)
    await actions.do_mail_code(context, login.id, login.email or "", language(person), _came_from(context))
    return Reply({"success": "ok", "signed_in": False})


async def _check_may_register(context: Context) -> None:
    """Raises `InvalidRecordError` where only the invited may sign up."""
    if "FEATURES_DISABLE_CREATE_USER" not in context.settings.environment:
        return
    invited = [await pending.find_invitation(context, kind) for kind in pending.INVITATIONS]
    if not any(invited) and context.web.text("pending_group_token") is None:
        reason = context.say("auth_form.invitation_required")
        raise InvalidRecordError({"email": [reason], "name": [reason]})


async def _proven_email(context: Context) -> str | None:
    """The address that whoever holds the waiting tokens has proven to be theirs."""
    membership = await pending.find_invitation(context, "membership")
    link = None if membership else await pending.find_login_token(context)
    token = link if link and pending.is_usable(link, context.clock(), context.settings) else None
    others = [await pending.find_invitation(context, kind) for kind in ("discussion_reader", "stance")]
    for one in (membership, token, *others):
        if one is not None and one.user_id is not None:
            return (await load_person(context.db, one.user_id)).email
    identity = await pending.find_identity(context)
    return identity.email if identity else None


async def _problems(
    context: Context, existing: Login | None, email: str | None, name: str | None, *, accepted: bool
) -> dict[str, list[str]]:
    env, spam = context.settings.environment, context.settings.spam
    others = await store.others_of_email(context.db, email=email, id=existing.id if existing else None)
    problems: dict[str, list[policy.Problem]] = {
        "email": policy.email_problems(
            email,
            is_taken=bool(others),
            forbidden=env.get("DECIDE_EMAIL", f"decide@{context.settings.site.host}"),
            spam=spam,
        ),
        # The name of a closed account is a label, which is not blank.
        "name": []
        if existing and existing.deactivated_at and name is None
        else policy.name_problems(name, spam),
        "legal_accepted": [] if accepted or "TERMS_URL" not in env else [policy.BLANK],
    }
    return actions.in_words(context, problems)


async def _redeem_login_token(context: Context, _user_id: int) -> None:
    token = context.web.text("pending_login_token")
    if token is not None:
        await store.use_token(context.db, token=token, now=actions.column_time(context))


async def _redeem_identity(context: Context, user_id: int) -> None:
    identity = await pending.find_identity(context)
    if identity is not None:
        await store.adopt_identity(
            context.db, id=identity.id, user_id=user_id, now=actions.column_time(context)
        )


async def _redeem_user(_context: Context, _user_id: int) -> None:
    """An address that was given is of no interest any more."""


REDEEMERS = (
    Redeemer("pending_user_id", _redeem_user),
    Redeemer("pending_login_token", _redeem_login_token),
    Redeemer("pending_identity_id", _redeem_identity),
)

ROUTES: tuple[Route[Handler], ...] = (
    Route(
        "POST",
        "/api/v1/login_tokens",
        "login_tokens#create",
        mail_login_token,
        takes=Credential.BROWSER,
        reads=(text("email", "May stand in the body as well."),),
    ),
    Route("POST", "/api/v1/sessions", "sessions#create", create, takes=Credential.BROWSER),
    Route("DELETE", "/api/v1/sessions", "sessions#destroy", destroy, takes=Credential.BROWSER),
    Route("POST", "/api/v1/registrations", "registrations#create", register, takes=Credential.BROWSER),
    Route(
        "GET", "/login_tokens/:token", "web/login_tokens#show", follow_login_token, takes=Credential.BROWSER
    ),
)
