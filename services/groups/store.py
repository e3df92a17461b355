# SPDX-License-Identifier: AGPL-3.0-or-later
"""Groups from the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial

from services.groups.model import Group, GroupFacts, Membership, MembershipFacts, Tag
from services.groups.serializer import GROUP, MEMBERSHIP, TAG
from services.kernel import sql
from services.kernel.actor import Actor
from services.kernel.locate import is_number
from services.kernel.params import Page, known_ids, ruby_to_i
from services.kernel.sideload import Catalogue, Source

queries = sql.load(__file__)
_facts = queries.many("group_facts", GroupFacts)
_membership_facts = queries.many("membership_facts", MembershipFacts)
_id_of_key = queries.values("group_id_of_key", int)
_id_of_handle = queries.values("group_id_of_handle", int)
_handles_like = queries.values("handles_like", str)
_explored = queries.values("explored", int)
_explored_ids = queries.values("explored_ids", int)
_inside_ids = queries.values("inside_ids", int)
_visible_ids = queries.values("visible_ids", int)
_subgroup_ids = queries.values("subgroup_ids", int)
_told = queries.many("groups_told", Group)
_memberships = queries.many("memberships_told", Membership)
_memberships_in = queries.values("memberships_in", int)
_membership_ids_in = queries.values("membership_ids_in", int)
_tags = queries.many("tags_told", Tag)

ORDERS = ("memberships_count", "memberships_count_asc", "created_at", "created_at_asc")
"""How the directory can be ordered; the first is usual."""

MOMENTS = ("created_at", "updated_at", "accepted_at", "revoked_at", "saml_session_expires_at")
"""What memberships can be asked for by; the first is usual."""


async def find(
    db: sql.Executor, actor: Actor, name: str, handle: str | None, now: datetime
) -> GroupFacts | None:
    """The group that a request calls `name`, by id or key; else the one with this handle."""
    ids = known_ids([ruby_to_i(name)]) if is_number(name) else await _id_of_key(db, key=name)
    if ids and (found := await load_facts(db, actor, ids[:1], now)):
        return found[ids[0]]
    ids = [] if handle is None else await _id_of_handle(db, handle=handle)
    return (await load_facts(db, actor, ids, now)).get(ids[0]) if ids else None


async def load_facts(
    db: sql.Executor, actor: Actor, ids: Sequence[int], now: datetime
) -> dict[int, GroupFacts]:
    """What decides what `actor` may do with these groups at `now`; those that are not there are missing."""
    if not (ids := known_ids(ids)):
        return {}
    found = await _facts(
        db,
        ids=ids,
        actor_id=actor.id,
        group_token=actor.tokens.group,
        membership_token=actor.tokens.membership,
        now=now,
    )
    return {one.id: one for one in found}


async def load_membership_facts(
    db: sql.Executor, actor: Actor, ids: Sequence[int]
) -> dict[int, MembershipFacts]:
    """What decides what `actor` may do with these memberships; those that are not there are missing."""
    ids = known_ids(ids)
    found = await _membership_facts(db, ids=ids, actor_id=actor.id) if ids else []
    return {one.id: one for one in found}


async def load_handles_like(db: sql.Executor, base: str) -> set[str]:
    """The handles in use that are `base`, or `base`, a hyphen and a number; in small letters."""
    return set(await _handles_like(db, base=base))


async def count_explored(db: sql.Executor, words: str | None) -> int:
    """How many groups the directory shows; with words in them somewhere, if there are any."""
    (count,) = await _explored(db, pattern=_pattern(words))
    return count


async def load_explored_ids(db: sql.Executor, words: str | None, order: str | None, page: Page) -> list[int]:
    """A page of the directory."""
    return await _explored_ids(
        db,
        pattern=_pattern(words),
        by=order if order in ORDERS else ORDERS[0],
        first=page.first,
        number=page.number,
    )


def _pattern(words: str | None) -> str | None:
    return f"%{words}%" if words and words.strip() else None


async def load_inside_ids(db: sql.Executor, viewer_id: int | None) -> list[int]:
    """The groups that a person sees as a member, as a guest, or from the group above; by id."""
    return await _inside_ids(db, viewer_id=viewer_id)


async def load_visible_ids(db: sql.Executor, viewer_id: int | None, ids: Sequence[int]) -> list[int]:
    """Those of these groups that a person sees from inside, or everybody does; by id."""
    return await _visible_ids(db, viewer_id=viewer_id, ids=known_ids(ids))


async def load_subgroup_ids(db: sql.Executor, group_id: int) -> list[int]:
    """The groups that lie in this one, archived ones apart; by id."""
    return await _subgroup_ids(db, id=group_id)


async def load_groups(
    db: sql.Executor, ids: Sequence[int], member_id: int | None = None
) -> Mapping[int, Group]:
    """Groups by id. `member_id` is whose memberships are told with them; nobody's where it is None."""
    return {group.id: group for group in await _told(db, ids=ids, member_id=member_id)}


async def load_memberships(db: sql.Executor, ids: Sequence[int]) -> Mapping[int, Membership]:
    """Memberships by id."""
    return {membership.id: membership for membership in await _memberships(db, ids=ids)}


async def load_tags(db: sql.Executor, ids: Sequence[int]) -> Mapping[int, Tag]:
    """Tags by id."""
    return {tag.id: tag for tag in await _tags(db, ids=ids)}


@dataclass(frozen=True, slots=True)
class Timeframe:
    """The memberships of a group, revoked ones too, whose moment `by` (one of `MOMENTS`) lies between two."""

    group_id: int
    by: str
    since: datetime | None
    until: datetime | None


async def count_memberships_in(db: sql.Executor, among: Timeframe) -> int:
    """How many there are."""
    (count,) = await _memberships_in(db, **asdict(among))
    return count


async def load_membership_ids_in(db: sql.Executor, among: Timeframe, page: Page) -> list[int]:
    """A page of them, by id."""
    return await _membership_ids_in(db, **asdict(among), first=page.first, number=page.number)


def sources_for(member_id: int | None) -> Catalogue:
    """Where edges to groups lead in answers that tell whose memberships these are.

    Loomio does where groups or threads are what is answered, and where events are, but then not of the groups above.
    """
    load = partial(load_groups, member_id=member_id)
    return {"group": Source(GROUP, load), "parent_group": Source(GROUP.under("parent_groups"), load)}


SOURCES: Catalogue = {
    **sources_for(None),
    "membership": Source(MEMBERSHIP, load_memberships),
    "tag": Source(TAG, load_tags),
}
"""Where edges to groups and what belongs to them lead, where nobody's memberships are told."""
