# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the client learns of who is signed in, when it starts and after signing in (Loomio's Boot::User)."""

from __future__ import annotations

from datetime import UTC, datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.kernel.clock import rails_time
from services.kernel.http import Context
from services.kernel.sideload import Gathered, Scope, render
from services.kernel.tokens import base58
from services.users.model import Person, time_zone
from services.users.serializer import CURRENT_USER, nobody


def user_payload(
    context: Context,
    person: Person | None,
    *,
    identity: dict[str, Any] | None = None,
    flashes: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """`person` (None for the signed-out) and what goes with them."""
    scope = Scope(None, context.locale, context.files, context.now, texts=context.settings.texts)
    if person is None:
        users = [nobody(scope.texts, context.locale, base58(context.random))]
    else:
        users = render({}, CURRENT_USER, [person], Gathered(), scope)["users"]
    return {
        "users": users,
        **around(context, users[0]["id"], users[0]["secret_token"], identity or {}, flashes or {}),
    }


def around(
    context: Context,
    user_id: int | None,
    secret_token: str,
    identity: dict[str, Any],
    flashes: dict[str, Any],
) -> dict[str, Any]:
    """What is told beside the person."""
    return {
        "current_user_id": user_id,
        "pending_identity": identity,
        "flash": flashes,
        "root_url": context.settings.site.origin,
        "channel_token": secret_token,
    }


def local_time(moment: datetime, person: Person) -> str:
    """A moment as pages of somebody's own tell it: in their time zone. Columns hold UTC without saying so."""
    try:
        zone: ZoneInfo | timezone = ZoneInfo(time_zone(person))
    except (ZoneInfoNotFoundError, ValueError):
        zone = UTC
    there = moment.replace(tzinfo=UTC).astimezone(zone)
    if not there.utcoffset():
        return rails_time(moment)
    return there.isoformat(timespec="milliseconds")
