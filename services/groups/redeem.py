# SPDX-License-Identifier: AGPL-3.0-or-later
"""Invitations to groups, and shared links: who follows one while signed in is a member from then on.

One invitation brings all that the same address was sent within the organisation, the group above and those in it
(Loomio's services/membership_service.rb). `plan` decides what becomes of every membership; `_carry_out` does it.
Voters are added, and the inviter is told, by Sidekiq.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from services.groups.store import queries
from services.kernel.clock import rails_time
from services.kernel.db import ConstraintError
from services.kernel.http import Context
from services.kernel.rails_jobs import hand_over
from services.kernel.redeem import Redeemer
from services.kernel.tokens import base58
from services.users.model import VOLUMES
from services.users.pending import waiting_token

Changes = dict[str, list[Any]]


class Place(msgspec.Struct, frozen=True):
    """A row of `memberships`, as its history has it."""

    id: int
    group_id: int
    user_id: int
    inviter_id: int | None
    admin: bool
    title: str | None
    volume: int | None
    revoked_at: datetime | None
    revoker_id: int | None
    accepted_at: datetime | None

    @property
    def is_pending(self) -> bool:
        """It was neither accepted nor taken away."""
        return self.revoked_at is None and self.accepted_at is None


@dataclass(frozen=True, slots=True)
class Plan:
    """What an invitation does to the memberships of an organisation."""

    groups: tuple[int, ...]
    """Where the person is a member afterwards."""
    restored: tuple[Place, ...]
    """Theirs, which were taken away."""
    accepted: tuple[Place, ...]
    """Theirs, which they had not accepted."""
    moved: tuple[Place, ...]
    """Of the invited address, and theirs from now on."""
    dropped: tuple[Place, ...]
    """Of the invited address, where they have one themselves."""
    is_news: bool
    """They were no member of the group that this invites to."""


def plan(invitation: Place, places: Sequence[Place], user_id: int) -> Plan:
    """What `invitation` does for this person. `places`: theirs and the invited address', in the organisation."""
    mine = {one.group_id: one for one in places if one.user_id == user_id}
    invited = [one for one in places if one.user_id == invitation.user_id and one.is_pending]
    theirs = [] if invitation.user_id == user_id else invited
    own = [mine[one.group_id] for one in invited if one.group_id in mine]
    before = mine.get(invitation.group_id)
    return Plan(
        groups=tuple(one.group_id for one in invited),
        restored=tuple(one for one in own if one.revoked_at is not None),
        accepted=tuple(one for one in own if one.is_pending),
        moved=tuple(one for one in theirs if one.group_id not in mine),
        dropped=tuple(one for one in theirs if one.group_id in mine),
        is_news=before is None or before.revoked_at is not None or before.accepted_at is None,
    )


_invitation = queries.one("invitation", Place)
_places = queries.many("places", Place)
_take = queries.command("take_places")
_delete = queries.command("delete_places")
_add_version = queries.command("add_membership_version")
_recount_groups = queries.command("recount_members")
_recount_users = queries.command("recount_memberships")
_in_threads = queries.command("be_member_in_threads")
_in_polls = queries.command("be_member_in_polls")
_add_event = queries.values("add_invitation_accepted", int)
_join = queries.one("join_by_link", Place)


async def redeem_invitation(context: Context, user_id: int) -> None:
    """Accept an invitation, whoever's address it was sent to."""
    token = waiting_token(context, "membership")

    async def act() -> None:
        invitation = await _invitation(context.db, token=token)
        if invitation is not None:
            await _accept(context, invitation, user_id)

    await _tried_twice(context, act)


async def redeem_link(context: Context, user_id: int) -> None:
    """Join the group whose shared link was followed, unless one is or was in it."""
    link = context.web.text("pending_group_token")

    async def act() -> None:
        token = base58(context.random)
        joined = await _join(context.db, link=link, user_id=user_id, token=token, now=context.now)
        if joined is not None:
            told = {"group_id": joined.group_id, "user_id": user_id, "volume": _volume(joined)}
            await _note(context, joined.id, "create", {name: [None, value] for name, value in told.items()})
            await _accept(context, joined, user_id)

    await _tried_twice(context, act)


async def _tried_twice(context: Context, act: Any) -> None:
    try:
        await context.db.atomically(act)
    except ConstraintError:
        await context.db.atomically(act)  # they became a member in the meantime; now that is found


async def _accept(context: Context, invitation: Place, user_id: int) -> None:
    people = sorted({user_id, invitation.user_id})
    places = await _places(context.db, group_id=invitation.group_id, people=people)
    decided = plan(invitation, places, user_id)
    await _carry_out(context, decided, invitation, user_id)
    groups = list(decided.groups)
    await _recount_groups(context.db, ids=groups, now=context.now)
    await _recount_users(context.db, ids=people, now=context.now)
    await _in_threads(context.db, user_id=user_id, groups=groups)
    await _in_polls(context.db, user_id=user_id, groups=groups)
    for group_id in groups:
        await hand_over(context, "GenericWorker", "PollService", "group_members_added", group_id)
    if decided.is_news:
        ids = await _add_event(context.db, group_id=invitation.group_id, user_id=user_id, now=context.now)
        for event_id in ids:
            await hand_over(context, "PublishEventWorker", event_id)


async def _carry_out(context: Context, decided: Plan, invitation: Place, user_id: int) -> None:
    now = context.now
    for one in (*decided.restored, *decided.accepted, *decided.moved):
        inviter_id = invitation.inviter_id if one.revoked_at is not None else one.inviter_id
        taken = msgspec.structs.replace(
            one, user_id=user_id, inviter_id=inviter_id, revoked_at=None, revoker_id=None, accepted_at=now
        )
        await _take(context.db, id=one.id, user_id=user_id, inviter_id=inviter_id, now=now)
        before, after = _told(one), _told(taken)
        changes = {name: [old, after[name]] for name, old in before.items() if old != after[name]}
        await _note(context, one.id, "update", changes)
    for one in decided.dropped:
        await _note(context, one.id, "destroy", {name: [value, None] for name, value in _told(one).items()})
    if decided.dropped:
        await _delete(context.db, ids=[one.id for one in decided.dropped])


async def _note(context: Context, membership_id: int, event: str, changes: Changes) -> None:
    await _add_version(context.db, id=membership_id, event=event, changes=changes, now=context.now)


def _volume(place: Place) -> str | None:
    return None if place.volume is None else VOLUMES[place.volume]


def _told(place: Place) -> dict[str, Any]:
    """What the history of a membership tells of it."""
    told = msgspec.structs.asdict(place) | {"volume": _volume(place)}
    del told["id"]
    return {name: rails_time(value) if isinstance(value, datetime) else value for name, value in told.items()}


REDEEMERS = (
    Redeemer("pending_group_token", redeem_link),
    Redeemer("pending_membership_token", redeem_invitation, parameter="membership_token"),
)
