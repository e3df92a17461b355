# SPDX-License-Identifier: AGPL-3.0-or-later
"""Comments from the database."""

from __future__ import annotations

from collections.abc import Sequence

from services.comments.model import CommentFacts, CommentPlace, CommentRow
from services.discussions import store as discussions
from services.kernel import sql
from services.kernel.actor import Actor
from services.kernel.params import known_ids

queries = sql.load(__file__)
_places = queries.many("comment_places", CommentPlace)
_rows = queries.many("comment_facts", CommentRow)


async def load_places(db: sql.Executor, ids: Sequence[int]) -> list[CommentPlace]:
    """Where these comments stand; those that are not there are missing."""
    ids = known_ids(ids)
    return await _places(db, ids=ids) if ids else []


async def load_facts(db: sql.Executor, actor: Actor, ids: Sequence[int]) -> dict[int, CommentFacts]:
    """What decides what `actor` may do with these comments; those that are not there are missing."""
    if not (ids := known_ids(ids)):
        return {}
    rows = await _rows(db, ids=ids, actor_id=actor.id)
    thread_ids = {row.discussion_id for row in rows if row.discussion_id is not None}
    threads = await discussions.load_facts(db, actor, list(thread_ids))
    return {
        row.id: CommentFacts(
            id=row.id,
            is_kept=row.is_kept,
            am_author=row.am_author,
            has_replies=row.has_replies,
            discussion=None if row.discussion_id is None else threads.get(row.discussion_id),
        )
        for row in rows
    }
