# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of the client's start."""

from __future__ import annotations

from typing import Any

from services.boot import site as sites
from services.boot.restricted import restricted_payload
from services.kernel.errors import BadRequestError
from services.kernel.http import Context, Handler
from services.kernel.parameters import text
from services.kernel.routes import Route
from services.kernel.settings import LOOMIO_VERSION, Settings
from services.kernel.websession import CSRF_COOKIE
from services.users import pending, store
from services.users.handlers import UNSUBSCRIBE_TOKEN, load_viewer
from services.users.model import shown_name
from services.users.payload import user_payload


async def site(context: Context) -> dict[str, Any]:
    """All that the client has to know before it shows anything, and who is signed in.

    The socket server lets in whoever brings the token that is kept in Redis here.
    """
    person = await load_viewer(context)
    flashes = context.web.take_flashes()
    if context.params.text("unsubscribe_token") is not None and person is not None:
        payload = await restricted_payload(context, person, flashes)
    else:
        identity = await pending.find(context)
        payload = user_payload(context, person, identity=identity, flashes=flashes)
    group_ids = [] if person is None else await store.load_group_ids(context.db, id=person.id)
    name = None if person is None else shown_name(person, context.say)
    await context.cache.put(
        f"/current_users/{payload['channel_token']}",
        {"name": name, "group_ids": group_ids, "id": payload["current_user_id"]},
    )
    context.web.give_token()
    return {**sites.site(context.settings, context.locale), **payload}


async def version(context: Context) -> dict[str, Any]:
    """Which version and release this is, and whether the client is outdated."""
    params, settings = context.params, context.settings
    if CSRF_COOKIE not in context.web.cookies and context.web.values:
        context.web.give_token()  # it lasts a day, and clients that stay open ask nothing else for long
    has = params.text("version") if "version" in params else "0.0.0"
    if has is None:
        raise BadRequestError  # `?version`: Rails falls over
    return {
        "version": LOOMIO_VERSION,
        "release": settings.release,
        "reload": should_reload(has, params.text("release"), settings),
        "notice": settings.system_notice,
    }


def should_reload(version: str, release: str | None, settings: Settings) -> bool | None:
    """Whether a client should load itself anew.

    Yes with an older version (compared as text). Else, where operators ask for it, with another release;
    null where they do not.
    """
    if version.encode() < LOOMIO_VERSION.encode():
        return True
    return release != settings.release if settings.system_reload else None


ROUTES: tuple[Route[Handler], ...] = (
    Route("GET", "/api/v1/boot/site", "boot#site", site, reads=(UNSUBSCRIBE_TOKEN,)),
    Route(
        "GET",
        "/api/v1/boot/version",
        "boot#version",
        version,
        reads=(
            text("version", "Of the client that runs; 0.0.0 where nothing is said."),
            text("release", "The release that the client came with."),
        ),
    ),
)
