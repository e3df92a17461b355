# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of the profile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.kernel.errors import AccessDeniedError
from services.kernel.http import Context, Handler
from services.kernel.parameters import EXCLUDE_TYPES, text
from services.kernel.routes import Route
from services.users import pending, store
from services.users.model import Person, email_status
from services.users.serializer import USER

UNSUBSCRIBE_TOKEN = text("unsubscribe_token", "Stands for whom the mails that carry it went to.")


async def viewer_id_of(context: Context) -> int | None:
    """Who sees a profile: whoever the mails' `unsubscribe_token` stands for, else who is signed in.

    Raises `NotFoundError` for a token that is nobody's.
    """
    token = context.params.text("unsubscribe_token")
    return context.actor.id if token is None else await store.find_unsubscriber(context.db, token)


async def load_viewer(context: Context) -> Person | None:
    """The same, with all that they see of themselves."""
    viewer_id = await viewer_id_of(context)
    return None if viewer_id is None else await store.load_person(context.db, viewer_id)


async def me(context: Context) -> dict[str, Any]:
    """Who asks."""
    person = await load_viewer(context)
    if person is None:
        raise AccessDeniedError("see who you are; sign in")
    return await context.respond(USER, [person], scope=replace(context.scope(), actor_id=person.id))


async def email_status_of(context: Context) -> dict[str, Any]:
    """What to ask of somebody with this address: a password, a name, or nothing."""
    person = await load_viewer(context)
    if person is None:
        email = context.params.text("email")
        person = await store.load_person_of_email(context.db, email)
        if person is None or person.deactivated_at is not None:
            told = pending.of_address(email, email_status(person), context)
            return {"users": [told], "meta": {"root": "users", "total": None}}
    return {"users": [pending.of_person(person, context)], "meta": {"root": "users", "total": None}}


async def email_exists(context: Context) -> dict[str, Any]:
    """Whether an address is somebody's."""
    email = context.params.text("email")
    return {"email": email, "exists": await store.load_person_of_email(context.db, email) is not None}


ROUTES: tuple[Route[Handler], ...] = (
    Route("GET", "/api/v1/profile/me", "profile#me", me, reads=(UNSUBSCRIBE_TOKEN, EXCLUDE_TYPES)),
    Route(
        "GET",
        "/api/v1/profile/email_status",
        "profile#email_status",
        email_status_of,
        reads=(UNSUBSCRIBE_TOKEN, text("email")),
    ),
    Route(
        "GET", "/api/v1/profile/email_exists", "profile#email_exists", email_exists, reads=(text("email"),)
    ),
)
