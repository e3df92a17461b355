# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signing in by another service: the way there, and the way back of whoever changed their mind.

The way back with a code (the provider's answer is fetched then), SAML and disconnecting are not served here
yet: keep those paths on the legacy.
"""

from __future__ import annotations

import urllib.parse
from http import HTTPStatus

from services.kernel.credential import Credential
from services.kernel.errors import AccessDeniedError, NotFoundError
from services.kernel.http import Context, Handler, Reply, redirect
from services.kernel.params import known_ids, ruby_to_i
from services.kernel.routes import Route
from services.sessions import store

LONGEST_WAY_BACK = 1000
"""Letters that the session has room for; it is a cookie."""

CANCELLED = "Signing in was cancelled."
GOOGLE = "https://accounts.google.com/o/oauth2/v2/auth"


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


def provider_url(provider: str, context: Context) -> str:
    """Where a provider asks whether this site may know who they are."""
    env = context.settings.environment
    asked: dict[str, str] = {
        "client_id": env.get(f"{provider.upper()}_APP_KEY", ""),
        "redirect_uri": f"{context.settings.site.origin}/{provider}/authorize",
        "response_type": "code",
    }
    match provider:
        case "oauth":
            host = env.get("OAUTH_AUTH_URL")
            if host is None or "OAUTH_SCOPE" not in env:
                raise NotFoundError("Provider")
            asked["scope"] = env["OAUTH_SCOPE"]
        case "google":
            host = GOOGLE
            asked["scope"] = "email profile"
        case _:
            host = (
                f"{env.get('NEXTCLOUD_HOST') or context.settings.site.origin}/index.php/apps/oauth2/authorize"
            )
    return f"{host}?{urllib.parse.urlencode(asked)}"


def start(provider: str) -> Handler:
    """The way to a provider; where to go afterwards waits in the session."""

    async def handler(context: Context) -> Reply:
        url = provider_url(provider, context)
        back_to = context.params.text("back_to") or context.request.headers.get("Referer")
        if back_to is not None and len(back_to) <= LONGEST_WAY_BACK:
            context.web.put("back_to", back_to)
        context.web.give_token()
        return redirect(url)

    return handler


async def come_back(context: Context) -> Reply:
    """Back from a provider. Raises `NotFoundError` for a code, which nobody here exchanges yet."""
    if not context.params.text("error"):
        raise NotFoundError("Provider")
    context.web.flash("error", CANCELLED)
    origin = context.settings.site.origin
    url = urllib.parse.urljoin(f"{origin}/", context.web.text("back_to") or "/dashboard")
    context.web.drop("back_to")
    context.web.give_token()
    # A link elsewhere must not lead people away from here, as it does in Loomio.
    return redirect(url if url.startswith(f"{origin}/") else f"{origin}/dashboard")


def _routes(provider: str) -> tuple[Route[Handler], ...]:
    name = f"web/identities/{provider}"
    return (
        Route("GET", f"/{provider}/oauth", name, start(provider), takes=Credential.BROWSER),
        Route("GET", f"/{provider}/authorize", name, come_back, takes=Credential.BROWSER),
    )


ROUTES: tuple[Route[Handler], ...] = (
    Route("GET", "/api/v1/identities/:id/:command", "identities#command", command),
    *_routes("oauth"),
    *_routes("google"),
    *_routes("nextcloud"),
)
