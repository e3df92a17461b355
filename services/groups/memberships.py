# SPDX-License-Identifier: AGPL-3.0-or-later
"""The memberships of a group, for programs of its admins (Loomio's controllers/api/b2/memberships_controller.rb).

Told are all of them, revoked ones too, with the addresses of everybody in the answer. Loomio has no order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.groups import policy, store
from services.groups.serializer import MEMBERSHIP
from services.kernel.credential import Credential
from services.kernel.errors import AccessDeniedError, BadRequestError, NotFoundError
from services.kernel.http import Context, Handler
from services.kernel.parameters import EXCLUDE_TYPES, PAGE, number, one_of, text
from services.kernel.routes import Route


async def index(context: Context) -> dict[str, Any]:
    """A page of the memberships of a group that the actor administers."""
    params = context.params
    group = await store.find(context.db, context.actor, params.text("group_id") or "", None, context.now)
    if group is None:
        raise NotFoundError("Group")
    if not policy.can_administer_by_key(group):
        raise AccessDeniedError("administer this group")
    since, until = params.moment("since"), params.moment("until")
    by = params.text("timeframe_for") or store.MOMENTS[0]
    if by not in store.MOMENTS:
        raise BadRequestError  # Loomio would hand it to PostgreSQL as it is
    among = store.Timeframe(group.id, by, since, until)
    total = await store.count_memberships_in(context.db, among)
    ids = await store.load_membership_ids_in(context.db, among, params.page())
    found = await store.load_memberships(context.db, ids) if ids else {}
    scope = replace(context.scope(), tells_addresses=True)
    return await context.respond(MEMBERSHIP, [found[key] for key in ids], total=total, scope=scope)


ROUTES: tuple[Route[Handler], ...] = (
    Route(
        "GET",
        "/api/b2/memberships",
        "b2/memberships#index",
        index,
        takes=Credential.B2,
        reads=(
            number("group_id", "The group's id; its key will do."),
            text("since", "Memberships from this ISO time on."),
            text("until", "Memberships until this ISO time."),
            one_of("timeframe_for", store.MOMENTS, "What these times are compared with; the first is usual."),
            *PAGE,
            EXCLUDE_TYPES,
        ),
    ),
)
