# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signing in by another service: the way there, the way back, and leaving it.

Loomio sends no `state` along, so a code that somebody else was given could be slipped in by a link, and whoever is
signed in would share their account with them. Here a way back counts only for a browser that began one, on either
side of a half-moved site: Rails leaves the same `back_to` in the session (`None` too). `BANYAN_OAUTH_STATE=on` sends
`state` along and demands it back; it is for sites where Rails serves none of these paths any more.
"""

from __future__ import annotations

import hmac
import urllib.parse
from http import HTTPStatus
from typing import ClassVar

from services.kernel import parameters
from services.kernel.credential import Credential
from services.kernel.errors import (
    AccessDeniedError,
    ElsewhereError,
    ForgeryError,
    InactiveAccountError,
    InvalidRecordError,
    NotFoundError,
    PageError,
    ReadOnlyError,
)
from services.kernel.http import Context, Handler, Reply, redirect
from services.kernel.pages import page_error
from services.kernel.params import known_ids, ruby_to_i
from services.kernel.routes import Route
from services.kernel.tokens import base58
from services.sessions import actions, store
from services.sessions.linking import Arrival, do_arrive
from services.sessions.providers import PROVIDERS, Provider, text

LONGEST_WAY_BACK = 1000
"""Letters that the session has room for; it is a cookie."""

AWAY = "The service that knows you does not answer. Please try again in a moment."


class RefusedError(PageError):
    """Another service, or this site, does not take what somebody came back with."""

    code = "provider_refused"
    status: ClassVar[HTTPStatus] = HTTPStatus.UNAUTHORIZED


class AwayError(PageError):
    """Another service can't be asked at the moment."""

    code = "provider_away"
    status: ClassVar[HTTPStatus] = HTTPStatus.SERVICE_UNAVAILABLE


class UnusableError(PageError):
    """No account can have what another service tells."""

    code = "provider_unusable"
    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY


class NotConnectedError(PageError):
    """There is nothing to disconnect."""

    code = "not_connected"
    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND


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
    """A provider as it is set up here. Raises `NotFoundError`."""
    provider = PROVIDERS[name](context.settings.environment)
    if provider is None:
        raise NotFoundError("Provider")
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


def begin(context: Context) -> None:
    """Remember in the session where to go afterwards, and so that something began."""
    back_to = context.params.text("back_to") or context.request.headers.get("Referer")
    context.web.put("back_to", back_to if back_to and len(back_to) <= LONGEST_WAY_BACK else None)
    context.web.give_token()


def check_begun(context: Context) -> None:
    """Raises `RefusedError` where this browser did not begin what it comes back from."""
    if "back_to" not in context.web.values:
        raise not_begun(context)


def check_state(context: Context) -> None:
    """Raises `RefusedError` where somebody does not bring back what they were sent with, and had to."""
    if context.settings.oauth_state:
        expected, sent = context.web.text("oauth_state") or "", context.params.text("state") or ""
        context.web.drop("oauth_state")
        if not expected or not hmac.compare_digest(expected.encode(), sent.encode()):
            raise not_begun(context)


def not_begun(context: Context) -> RefusedError:
    """What is said to a browser that comes back without having gone."""
    return page_error(RefusedError, context, "Signing in did not begin in this browser. Please try again.")


def go_back(context: Context) -> Reply:
    """To where somebody was before they signed in."""
    place = place_here(context.settings.site.origin, context.web.text("back_to"))
    context.web.drop("back_to")
    context.web.give_token()
    return redirect(place)


def place_here(origin: str, wanted: str | None) -> str:
    """The address that was wanted, if it is one of this site: no link leads people away, as it could in Loomio."""
    try:
        url = urllib.parse.urljoin(f"{origin}/", wanted or "/dashboard")
    except ValueError:
        url = ""  # no address at all
    return url if url.startswith(f"{origin}/") else f"{origin}/dashboard"


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


async def arrive(context: Context, arrival: Arrival) -> Reply:
    """Keep who came back, and lead them on. Raises `UnusableError`, `RefusedError`."""
    if context.actor.id is not None:
        await store.see(context.db, id=context.actor.id, now=actions.column_time(context))
    try:
        await do_arrive(context, arrival)
    except InvalidRecordError as error:
        sentence = f"No account can be made of what the service tells: {error}."
        raise page_error(UnusableError, context, sentence) from None
    except InactiveAccountError as error:
        raise page_error(RefusedError, context, str(error)) from None
    return go_back(context)


def leave(name: str) -> Handler:
    """Not to be known to a service any more."""

    async def handler(context: Context) -> Reply:
        # It is a GET: a picture on a page elsewhere would do.
        if context.request.headers.get("Sec-Fetch-Site") == "cross-site":
            raise ForgeryError
        context.web.give_token()
        if context.actor.id is not None:
            await store.see(context.db, id=context.actor.id, now=actions.column_time(context))
            if await store.delete_identity(context.db, user_id=context.actor.id, identity_type=name):
                origin = context.settings.site.origin
                came_from = context.request.headers.get("Referer", "")
                return redirect(came_from if came_from.startswith(f"{origin}/") else f"{origin}/")
        raise page_error(NotConnectedError, context, f"Not connected to {name}.")

    return handler


BACK_TO = (parameters.text("back_to", "Where to go after signing in."),)
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
