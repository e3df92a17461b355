# SPDX-License-Identifier: AGPL-3.0-or-later
"""Versions, and the records that have them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.comments import policy as comment_policy
from services.comments import store as comments
from services.discussions import policy as discussion_policy
from services.discussions import store as discussions
from services.groups import policy as group_policy
from services.groups import store as groups
from services.kernel import sql
from services.kernel.http import Context
from services.kernel.locate import plain_id
from services.kernel.params import LARGEST_ID
from services.polls import policy as poll_policy
from services.polls import store as polls
from services.polls.model import PollPart
from services.versions.model import Item, Version

queries = sql.load(__file__)
_from_oldest = queries.one("version_from_oldest", Version)
_from_newest = queries.one("version_from_newest", Version)


async def load_version(db: sql.Executor, item: Item, index: int) -> Version | None:
    """The version of `item` at `index`: 0 the oldest, -1 the newest."""
    place = min(index if index >= 0 else -index - 1, LARGEST_ID)
    query = _from_oldest if index >= 0 else _from_newest
    return await query(db, item_type=item.type, item_id=item.id, place=place)


Find = Callable[[Context, str], Awaitable[Item | None]]
"""Finds the record that a request calls by a name, and whether the actor sees it."""


async def find_group(context: Context, name: str) -> Item | None:
    """A group, by id, key or (in the parameter `id`) handle."""
    facts = await groups.find(context.db, context.actor, name, context.params.text("id"), context.now)
    return None if facts is None else Item("Group", facts.id, group_policy.can_show(facts))


async def find_discussion(context: Context, name: str) -> Item | None:
    """A thread, by key or id."""
    facts = await discussions.find(context.db, context.actor, name)
    return None if facts is None else Item("Discussion", facts.id, discussion_policy.can_show(facts))


async def find_comment(context: Context, name: str) -> Item | None:
    """A comment, by id."""
    if (key := plain_id(name)) is None:
        return None
    comment = (await comments.load_facts(context.db, context.actor, [key])).get(key)
    return None if comment is None else Item("Comment", comment.id, comment_policy.can_show(comment))


async def find_poll(context: Context, name: str) -> Item | None:
    """A poll, by key or id."""
    facts = await polls.find(context.db, context.actor, name, context.now)
    return None if facts is None else Item("Poll", facts.id, poll_policy.can_show(facts))


async def find_stance(context: Context, name: str) -> Item | None:
    """A vote, by id."""
    key = plain_id(name)
    return await _part(context, "Stance", [] if key is None else await polls.load_stances(context.db, [key]))


async def find_outcome(context: Context, name: str) -> Item | None:
    """An outcome, by id."""
    key = plain_id(name)
    return await _part(
        context, "Outcome", [] if key is None else await polls.load_outcomes(context.db, [key])
    )


async def _part(context: Context, kind: str, found: list[PollPart]) -> Item | None:
    if not found:
        return None
    (part,) = found
    ids = [] if part.poll_id is None else [part.poll_id]
    seen = await polls.load_facts(context.db, context.actor, ids, context.now)
    poll = None if part.poll_id is None else seen.get(part.poll_id)
    return Item(kind, part.id, poll_policy.can_show(poll))
