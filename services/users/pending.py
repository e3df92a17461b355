# SPDX-License-Identifier: AGPL-3.0-or-later
"""What waits for somebody who is not signed in yet: a mailed link, an identity, an invitation, an address.

The client shows its sign-in form by this (`pending_identity`, Loomio's serializers/pending): whose name to
greet, and whether to ask for a password, a name, or nothing. Tokens come with the request or wait in its
session; the first that leads somewhere counts, in the order of `find`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from services.kernel.clock import rails_time
from services.kernel.http import Context
from services.kernel.settings import Settings
from services.users import store
from services.users.model import (
    PICTURE_PIXELS,
    THUMBNAIL_PIXELS,
    Person,
    email_status,
    initials,
    picture_kind,
    picture_url,
    shown_name,
)

INVITATIONS = ("membership", "stance", "discussion_reader")
"""Kinds of tokens that invite, in the order in which they are looked at."""


class LoginToken(msgspec.Struct, frozen=True):
    """A row of `login_tokens` and whose it is now."""

    id: int
    token: str
    used: bool
    is_reactivation: bool
    created_at: datetime | None
    redirect: str | None
    user_id: int


class Identity(msgspec.Struct, frozen=True):
    """A row of `omniauth_identities` that waits."""

    id: int
    identity_type: str | None
    email: str | None
    name: str | None
    logo: str | None


class Invitation(msgspec.Struct, frozen=True):
    """Something that a token opens: a membership, a thread's reader, a vote, or a group by its shared link."""

    token: str
    user_id: int | None
    group_id: int | None


queries = store.queries
load_login_token = queries.one("pending_login_token", LoginToken)
load_identity = queries.one("pending_identity", Identity)
_membership = queries.one("pending_membership", Invitation)
_reader = queries.one("pending_reader", Invitation)
_stance = queries.one("pending_stance", Invitation)
_group = queries.one("pending_group", Invitation)


def is_usable(token: LoginToken, now: datetime, settings: Settings) -> bool:
    """Whether a mailed link still signs in."""
    return is_usable_since(token.used, token.created_at, now, settings)


def is_usable_since(used: bool, made: datetime | None, now: datetime, settings: Settings) -> bool:
    """Whether a link or code still signs in: not used, and younger than a day (or what the operator says)."""
    lasts = timedelta(minutes=settings.link_minutes)
    return not used and made is not None and made + lasts > now.replace(tzinfo=None)


async def find_login_token(context: Context) -> LoginToken | None:
    """The mailed link that this browser followed."""
    token = context.web.text("pending_login_token")
    return None if token is None else await load_login_token(context.db, token=token)


async def find_identity(context: Context) -> Identity | None:
    """The identity of another service that this browser came back with."""
    key = context.web.values.get("pending_identity_id")
    return await load_identity(context.db, id=key) if isinstance(key, int) else None


def waiting_token(context: Context, kind: str) -> str | None:
    """A token of the request, or of its session."""
    return context.params.text(f"{kind}_token") or context.web.text(f"pending_{kind}_token")


async def find_invitation(context: Context, kind: str) -> Invitation | None:
    """What the token of this kind (`membership`, `stance`, `discussion_reader`) opens."""
    query = {"membership": _membership, "stance": _stance, "discussion_reader": _reader}[kind]
    token = waiting_token(context, kind)
    return None if token is None else await query(context.db, token=token)


async def find(context: Context) -> dict[str, Any]:
    """What waits, as the client is told; nothing where nothing does."""
    if (token := await find_login_token(context)) is not None:
        return await _of_login_token(context, token)
    if (identity := await find_identity(context)) is not None:
        return await _of_identity(context, identity)
    for kind in INVITATIONS:
        if (invitation := await find_invitation(context, kind)) is not None:
            return await _of_invitation(context, kind, invitation)
    if (shared := context.web.text("pending_group_token")) is not None:
        group = await _group(context.db, token=shared)
        if group is not None:
            return _of_group(group)
    waiting = context.web.values.get("pending_user_id")
    if isinstance(waiting, int):
        return of_person(await store.load_person(context.db, waiting), context)
    return {}


def of_person(person: Person, context: Context) -> dict[str, Any]:
    """Somebody whose address was given."""
    status = email_status(person)
    told = _base(context, person, name=shown_name(person, context.say), email=person.email, status=status)
    told["auth_form"] = _form(status, person.email_verified, told["name"], has_token=False)
    told["legal_accepted_at"] = person.legal_accepted_at and rails_time(person.legal_accepted_at)
    return told


def of_address(email: str | None, status: str, context: Context) -> dict[str, Any]:
    """An address that is nobody's, or that of a closed account, which is told no more of."""
    told = _base(context, None, name=None, email=email, status=status)
    told["avatar_initials"] = None if email is None else initials(None, email)[:3]
    told["auth_form"] = _form(status, False, None, has_token=False)
    told["legal_accepted_at"] = None
    return told


def _form(status: str, verified: bool, name: str | None, *, has_token: bool) -> str:
    if status == "inactive" and not has_token:
        return "inactive"
    return "signIn" if (verified or has_token) and name is not None else "signUp"


def _base(
    context: Context, person: Person | None, *, name: str | None, email: str | None, status: str | None
) -> dict[str, Any]:
    """What every kind says; `person` is who has the address, None where it is nobody's."""
    files = context.files
    return {
        "name": name,
        "email": email,
        "email_status": status,
        "email_verified": person is not None and person.email_verified,
        "has_password": person is not None and person.has_password,
        "identity_type": False,
        "avatar_kind": "initials" if person is None else picture_kind(person),
        "avatar_initials": None if person is None else person.avatar_initials,
        "thumb_url": person and picture_url(person, THUMBNAIL_PIXELS, files),
        "avatar_url": person and picture_url(person, PICTURE_PIXELS, files),
        "has_token": None,
        "auth_form": "signUp",
    }


async def _verified(context: Context, email: str | None) -> Person | None:
    person = await store.load_person_of_email(context.db, email)
    return person if person is not None and person.email_verified else None


async def _of_login_token(context: Context, token: LoginToken) -> dict[str, Any]:
    person = await store.load_person(context.db, token.user_id)
    status = "active" if token.is_reactivation else email_status(person)
    name = person.name if token.is_reactivation else shown_name(person, context.say)
    told = _base(context, person, name=name, email=person.email, status=status)
    return told | {
        "identity_type": "loomio",
        "has_token": True,
        "auth_form": _form(status, person.email_verified, shown_name(person, context.say), has_token=True),
        "legal_accepted_at": person.legal_accepted_at and rails_time(person.legal_accepted_at),
    }


async def _of_identity(context: Context, identity: Identity) -> dict[str, Any]:
    person = await _verified(context, identity.email)
    # Loomio looks for whoever has no address where the identity's is nobody's, and finds erased accounts.
    status = email_status(person or await store.load_erased_person(context.db))
    told = _base(context, person, name=identity.name, email=identity.email, status=status)
    return told | {
        "identity_type": identity.identity_type,
        "avatar_kind": "uploaded" if (identity.logo or "").strip() else "initials",
        "avatar_url": identity.logo,
        "auth_form": "identity",
    }


async def _of_invitation(context: Context, kind: str, invitation: Invitation) -> dict[str, Any]:
    invited = None
    if invitation.user_id is not None:
        invited = await store.load_person(context.db, invitation.user_id)
    name = shown_name(invited, context.say) if invited else None
    email = invited.email if invited else None
    told = _base(context, await _verified(context, email), name=name, email=email, status=None)
    if invited is not None and (name or "").strip():
        told["avatar_initials"] = initials(name, email, is_closed=invited.deactivated_at is not None)
    else:
        del told["avatar_initials"]
    return told | {
        "identity_type": kind,
        "has_token": True,
        "auth_form": False,
        "token": invitation.token,
        "group_id": invitation.group_id,
    }


def _of_group(group: Invitation) -> dict[str, Any]:
    return {
        "name": None,
        "email_verified": False,
        "has_password": False,
        "identity_type": "group",
        "avatar_kind": "initials",
        "avatar_initials": None,
        "thumb_url": None,
        "avatar_url": None,
        "has_token": True,
        "auth_form": False,
        "token": group.token,
        "group_id": group.group_id,
    }
