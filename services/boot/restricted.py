# SPDX-License-Identifier: AGPL-3.0-or-later
"""Somebody who came by the token of their mails: enough to change which mails they get, and no more."""

from __future__ import annotations

from typing import Any

import msgspec

from services.kernel import sql
from services.kernel.clock import rails_time
from services.kernel.files import Blob, StoredFiles
from services.kernel.http import Context
from services.users.model import PICTURE_PIXELS, VOLUMES, Person, language
from services.users.payload import around

COVER_QUALITY = 85


class RestrictedMembership(msgspec.Struct, frozen=True):
    """A membership and how its group looks."""

    id: int
    volume: int | None
    user_id: int | None
    group_id: int | None
    group_name: str | None
    logo_id: int | None
    logo_filename: str | None
    logo_content_type: str | None
    cover_id: int | None
    cover_filename: str | None
    cover_content_type: str | None


queries = sql.load(__file__)
_memberships = queries.many("restricted_memberships", RestrictedMembership)


async def restricted_payload(context: Context, person: Person, flashes: dict[str, Any]) -> dict[str, Any]:
    """What `users.payload` tells, for a person who is not signed in."""
    memberships = await _memberships(context.db, id=person.id)
    user = {
        "id": person.id,
        "restricted": True,
        "username": person.username,
        "email": person.email,
        "email_when_proposal_closing_soon": person.email_when_proposal_closing_soon,
        "email_catch_up_day": person.email_catch_up_day,
        "email_newsletter": person.email_newsletter,
        "email_when_mentioned": person.email_when_mentioned,
        "email_on_participation": person.email_on_participation,
        "default_membership_volume": VOLUMES[person.default_membership_volume],
        "unsubscribe_token": person.unsubscribe_token,
        "locale": language(person),
        "deactivated_at": person.deactivated_at and rails_time(person.deactivated_at),
        "membership_ids": [one.id for one in memberships],
    }
    return {
        "groups": [_group(one, context.files) for one in memberships],
        "memberships": [
            {
                "id": one.id,
                "volume": None if one.volume is None else VOLUMES[one.volume],
                "user_id": one.user_id,
                "group_id": one.group_id,
            }
            for one in memberships
        ],
        "users": [user],
        **around(context, person.id, person.secret_token, {}, flashes),
    }


def _group(one: RestrictedMembership, files: StoredFiles) -> dict[str, Any]:
    logo = cover = None
    if one.logo_id is not None:
        logo = files.image(Blob(one.logo_id, one.logo_filename or "", one.logo_content_type), PICTURE_PIXELS)
    if one.cover_id is not None:
        blob = Blob(one.cover_id, one.cover_filename or "", one.cover_content_type)
        cover = files.image(blob, 4 * PICTURE_PIXELS, PICTURE_PIXELS, COVER_QUALITY)
    return {"id": one.group_id, "name": one.group_name, "logo_url": logo, "cover_url": cover}
