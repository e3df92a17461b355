# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signing in by another service that speaks OAuth: the way there, the way back, and leaving it.

Loomio sends no `state` along, so a code that somebody else was given could be slipped in by a link, and whoever is
signed in would share their account with them. Here a way back counts only for a browser that began one, on either
side of a half-moved site: Rails leaves the same `back_to` in the session (`None` too). `BANYAN_OAUTH_STATE=on` sends
`state` along and demands it back; it is for sites where Rails serves none of these paths any more.
"""

from __future__ import annotations

import hmac
import urllib.parse
from http import HTTPStatus

from services.kernel import parameters
from services.kernel.credential import Credential
from services.kernel.errors import AccessDeniedError, ElsewhereError, NotFoundError, ReadOnlyError
from services.kernel.http import Context, Handler, Reply, redirect
from services.kernel.pages import page_error
from services.kernel.params import known_ids, ruby_to_i
from services.kernel.routes import Route
from services.kernel.tokens import base58
from services.sessions import store
from services.sessions.linking import Arrival
from services.sessions.providers import PROVIDERS, Provider, text
from services.sessions.returning import (
    AWAY,
    BACK_TO,
    NOT_SET_UP,
    AwayError,
    NotSetUpError,
    RefusedError,
    arrive,
    begin,
    check_begun,
    go_back,
    leave,
    not_begun,
)


async def command(context: Context) -> Reply:
    """Ask an identity for something; none of those that are left can answer anything. Raises `NotFoundError`,
    `AccessDeniedError`.
    """
    ids = known_ids([ruby_to_i(context.params.text("id") or "")])
    owner = await store.identity_owner(context.db, id=ids[0]) if ids else None
    if owner is None:
        raise NotFoundError("Identity")
    if context.actor.id is None or owner.user_id != context.actor.id:
        raise AccessDeniedError("see this identity")
    asked = context.params.text("command")
    return Reply({"error": f"{asked} is nothing that this identity can do"}, HTTPStatus.BAD_REQUEST)


def provider_of(name: str, context: Context) -> Provider:
    """A provider as it is set up here. Raises `NotSetUpError`."""
    provider = PROVIDERS[name](context.settings.environment)
    if provider is None:
        raise page_error(NotSetUpError, context, NOT_SET_UP)
    return provider


def redirect_uri(name: str, context: Context) -> str:
    """Where a provider sends people back to."""
    return f"{context.settings.site.origin}/{name}/authorize"


def start(name: str) -> Handler:
    """The way to a provider."""

    async def handler(context: Context) -> Reply:
        provider = provider_of(name, context)
        begin(context)
        state = None
        if context.settings.oauth_state:
            state = base58(context.random)
            context.web.put("oauth_state", state)
        url = provider.way_there(redirect_uri(name, context), state)
        return redirect(urllib.parse.urljoin(f"{context.settings.site.origin}/", url))

    return handler


def check_state(context: Context) -> None:
    """Raises `RefusedError` where somebody does not bring back what they were sent with, and had to."""
    if context.settings.oauth_state:
        expected, sent = context.web.text("oauth_state") or "", context.params.text("state") or ""
        context.web.drop("oauth_state")
        if not expected or not hmac.compare_digest(expected.encode(), sent.encode()):
            raise not_begun(context)


def come_back(name: str) -> Handler:
    """Back from a provider, with a code or with the news that somebody changed their mind."""

    async def handler(context: Context) -> Reply:
        if context.params.text("error"):
            context.web.flash("error", context.say("auth.oauth_cancelled"))
            return go_back(context)
        provider = provider_of(name, context)
        context.web.give_token()
        check_begun(context)
        check_state(context)
        return await arrive(context, await ask(context, provider))

    return handler


async def ask(context: Context, provider: Provider) -> Arrival:
    """Who came back, as the provider tells. Raises `RefusedError`, `AwayError`."""
    if context.db.reads_only:
        raise ReadOnlyError  # a code is used up by asking
    # Nobody waits for another service with a connection in hand that others could use.
    await context.db.close()
    form = provider.form(context.params.text("code") or "", redirect_uri(provider.name, context))
    try:
        told = (await context.outbound.post(provider.token_url, form)).document()
        token = text(told.get("access_token"), longest=None)
        if not token or token.isspace():
            raise page_error(RefusedError, context, "OAuth authorization failed")
        profile = provider.profile(
            (await context.outbound.get(provider.profile_url, bearer=token)).document()
        )
    except ElsewhereError as error:
        raise page_error(AwayError, context, AWAY, f"{provider.name}: {error}") from error
    uid, email = profile.uid or "", profile.email or ""
    if not uid.strip() or not email.strip():
        raise page_error(RefusedError, context, "The service does not tell an id and an address of yours.")
    return Arrival(provider.name, uid, email, profile.name, profile.logo, access_token=token)


BROUGHT_BACK = (
    parameters.text("code", "What the provider gives for somebody who signed in."),
    parameters.text("error", "Why it signed nobody in."),
    parameters.text("state", "As it was sent there."),
)


def _routes(name: str) -> tuple[Route[Handler], ...]:
    stable = f"web/identities/{name}"
    return (
        Route("GET", f"/{name}/oauth", stable, start(name), takes=Credential.BROWSER, reads=BACK_TO),
        Route(
            "GET",
            f"/{name}/authorize",
            stable,
            come_back(name),
            writes=True,
            takes=Credential.BROWSER,
            reads=BROUGHT_BACK,
        ),
        Route("GET", f"/{name}", stable, leave(name), writes=True, takes=Credential.BROWSER),
    )


ROUTES: tuple[Route[Handler], ...] = (
    Route("GET", "/api/v1/identities/:id/:command", "identities#command", command),
    *(route for name in PROVIDERS for route in _routes(name)),
)
