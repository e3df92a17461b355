# SPDX-License-Identifier: AGPL-3.0-or-later
"""Groups from the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.groups.model import GroupFacts, MembershipFacts
from services.kernel import sql
from services.kernel.actor import Actor
from services.kernel.locate import is_number
from services.kernel.params import known_ids, ruby_to_i

queries = sql.load(__file__)
_facts = queries.many("group_facts", GroupFacts)
_membership_facts = queries.many("membership_facts", MembershipFacts)
_id_of_key = queries.values("group_id_of_key", int)
_id_of_handle = queries.values("group_id_of_handle", int)
_handles_like = queries.values("handles_like", str)
_explored = queries.values("explored", int)


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
    pattern = f"%{words}%" if words and words.strip() else None
    (count,) = await _explored(db, pattern=pattern)
    return count
