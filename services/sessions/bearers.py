# SPDX-License-Identifier: AGPL-3.0-or-later
"""Giving tokens to API clients (`services.kernel.bearer`)."""

from __future__ import annotations

from services.kernel.credential import Credential
from services.kernel.errors import NoRouteError, SignedOutError
from services.kernel.http import Context, Handler, Reply
from services.kernel.routes import Route


async def give(context: Context) -> Reply:
    """A token for whoever is signed in. Raises `SignedOutError`, `NoRouteError` where there are no tokens."""
    if context.bearers is None:
        raise NoRouteError
    account = context.actor.account
    if account is None:
        raise SignedOutError
    given = {
        "access_token": context.bearers.give(account, context.clock()),
        "token_type": "Bearer",
        "expires_in": context.bearers.lifetime,
    }
    return Reply(given, headers={"cache-control": "no-store"})


ROUTES: tuple[Route[Handler], ...] = (
    Route("POST", "/api/banyan/tokens", "banyan/tokens#create", give, takes=Credential.BROWSER),
)
