# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signing in by SAML: the way there, the answer that a browser brings from there, and who this site is.

The provider is what `SAML_IDP_METADATA` says, or the document at `SAML_IDP_METADATA_URL`, which is read each time, as
Loomio does. An answer comes by a form of another site, so no token of ours comes with it, and often no cookie: it may
sign in whoever has nothing begun. Whoever is signed in becomes known to the service only where this browser began.
"""

from __future__ import annotations

import asyncio

from services.kernel.credential import Credential
from services.kernel.errors import ElsewhereError
from services.kernel.http import Context, Handler, Reply, redirect
from services.kernel.pages import page_error
from services.kernel.routes import Route
from services.kernel.tokens import random_uuid
from services.sessions.linking import Arrival
from services.sessions.providers import text
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
    leave,
)
from services.sessions.saml_answers import IdentityProvider, SamlError, read_answer, read_provider
from services.sessions.saml_messages import METADATA_TYPE, Site, metadata_text, request_text, way_there

INLINE, ADDRESS = "SAML_IDP_METADATA", "SAML_IDP_METADATA_URL"


def is_set_up(context: Context) -> bool:
    """Whether the operator named an identity provider."""
    env = context.settings.environment
    return bool(env.get(INLINE) or env.get(ADDRESS))


def this_site(context: Context) -> Site:
    """This site, as identity providers know it. Raises `NotSetUpError`."""
    if not is_set_up(context):
        raise page_error(NotSetUpError, context, NOT_SET_UP)
    origin = context.settings.site.origin
    issuer = context.settings.environment.get("SAML_ISSUER", f"{origin}/saml/metadata")
    return Site(issuer, answers_at=f"{origin}/saml/oauth", leaves_at=f"{origin}/saml")


async def provider_of(context: Context) -> IdentityProvider:
    """The identity provider, by its metadata. Raises `AwayError`."""
    env = context.settings.environment
    # Nobody waits for another service with a connection in hand that others could use.
    await context.db.close()
    try:
        document = (env.get(INLINE) or "").encode() or (await context.outbound.get(env[ADDRESS])).body
        return await asyncio.to_thread(read_provider, document)
    except (ElsewhereError, SamlError) as error:
        raise page_error(AwayError, context, AWAY, f"saml: {error}") from error


async def start(context: Context) -> Reply:
    """The way to the identity provider."""
    site = this_site(context)
    provider = await provider_of(context)
    begin(context)
    request = request_text(site, provider.asked_at, f"_{random_uuid(context.random)}", context.clock())
    return redirect(way_there(provider.asked_at, request))


async def come_back(context: Context) -> Reply:
    """An identity provider's answer. Raises `RefusedError`, `AwayError`."""
    site = this_site(context)
    context.web.give_token()
    if context.actor.id is not None:
        check_begun(context)
    provider = await provider_of(context)
    try:
        answer = context.body.get("SAMLResponse")
        person = await asyncio.to_thread(
            read_answer, answer if isinstance(answer, str) else "", provider, site
        )
    except SamlError as error:
        raise page_error(RefusedError, context, "SAML response is not valid", f"saml: {error}") from error
    uid = text(person.name_id)
    if not uid or uid.isspace():
        raise page_error(RefusedError, context, "The service does not tell an address of yours.")
    # The name by which the provider knows somebody is their address: that was asked for.
    return await arrive(context, Arrival("saml", uid, email=uid, name=text(person.name)))


async def metadata(context: Context) -> Reply:
    """Who this site is."""
    document = metadata_text(this_site(context)).encode()
    return Reply(document, headers={"content-type": METADATA_TYPE})


async def nothing(context: Context) -> Reply:
    """Answers come by POST alone; Loomio has this route because its other services do. Raises `NotSetUpError`."""
    raise page_error(NotSetUpError, context, NOT_SET_UP)


ROUTES: tuple[Route[Handler], ...] = (
    Route("GET", "/saml/oauth", "web/identities/saml", start, takes=Credential.BROWSER, reads=BACK_TO),
    Route("GET", "/saml/authorize", "web/identities/saml", nothing, takes=Credential.BROWSER),
    Route("GET", "/saml", "web/identities/saml", leave("saml"), writes=True, takes=Credential.BROWSER),
    Route(
        "POST",
        "/saml/oauth",
        "web/identities/saml#create",
        come_back,
        takes=Credential.BROWSER,
        is_guarded=False,
    ),
    Route("GET", "/saml/metadata", "web/identities/saml", metadata),
)
