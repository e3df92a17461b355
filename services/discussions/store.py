# SPDX-License-Identifier: AGPL-3.0-or-later
"""Threads from the database."""

from __future__ import annotations

from collections.abc import Sequence

from services.discussions.model import DiscussionFacts, DiscussionReaderFacts, DiscussionReaderRow
from services.kernel import sql
from services.kernel.actor import Actor
from services.kernel.locate import friendly_id
from services.kernel.params import known_ids

queries = sql.load(__file__)
_facts = queries.many("discussion_facts", DiscussionFacts)
_reader_rows = queries.many("reader_facts", DiscussionReaderRow)
_id_of_key = queries.values("discussion_id_of_key", int)


async def load_facts(db: sql.Executor, actor: Actor, ids: Sequence[int]) -> dict[int, DiscussionFacts]:
    """What decides what `actor` may do with these threads; those that are not there are missing."""
    ids = known_ids(ids)
    if not ids:
        return {}
    token = actor.tokens.discussion_reader
    found = await _facts(db, ids=ids, actor_id=actor.id, reader_token=token)
    return {one.id: one for one in found}


async def find(db: sql.Executor, actor: Actor, name: str) -> DiscussionFacts | None:
    """The thread that a request calls `name`, by key or id."""
    key = await friendly_id(db, name, _id_of_key)
    return None if key is None else (await load_facts(db, actor, [key])).get(key)


async def load_reader_facts(
    db: sql.Executor, actor: Actor, ids: Sequence[int]
) -> dict[int, DiscussionReaderFacts]:
    """What decides what `actor` may do with these places in threads; those that are not there are missing."""
    ids = known_ids(ids)
    rows = await _reader_rows(db, ids=ids, actor_id=actor.id) if ids else []
    threads = await load_facts(db, actor, list({row.discussion_id for row in rows}))
    return {
        row.id: DiscussionReaderFacts(
            id=row.id,
            is_mine=row.is_mine,
            is_guest=row.is_guest,
            is_accepted=row.is_accepted,
            is_revoked=row.is_revoked,
            discussion=threads[row.discussion_id],
        )
        for row in rows
        if row.discussion_id in threads
    }
