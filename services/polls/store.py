# SPDX-License-Identifier: AGPL-3.0-or-later
"""Polls, votes and outcomes from the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.kernel import sql
from services.kernel.actor import Actor
from services.kernel.locate import friendly_id
from services.kernel.params import known_ids
from services.polls.model import PollFacts, PollPart, StanceFacts, StanceRow

queries = sql.load(__file__)
_facts = queries.many("poll_facts", PollFacts)
_id_of_key = queries.values("poll_id_of_key", int)
_stance_rows = queries.many("stance_facts", StanceRow)
_of_stances = queries.many("polls_of_stances", PollPart)
_of_outcomes = queries.many("polls_of_outcomes", PollPart)


async def load_facts(
    db: sql.Executor, actor: Actor, ids: Sequence[int], now: datetime
) -> dict[int, PollFacts]:
    """What decides what `actor` may do with these polls at `now`; those that are not there are missing."""
    if not (ids := known_ids(ids)):
        return {}
    reader = actor.tokens.discussion_reader
    # Loomio compares the token of a vote with the one given for a thread, if one for a vote is given as well.
    stance = reader if actor.tokens.stance is not None else None
    found = await _facts(db, ids=ids, actor_id=actor.id, reader_token=reader, stance_token=stance, now=now)
    return {one.id: one for one in found}


async def find(db: sql.Executor, actor: Actor, name: str, now: datetime) -> PollFacts | None:
    """The poll that a request calls `name`, by key or id."""
    key = await friendly_id(db, name, _id_of_key)
    return None if key is None else (await load_facts(db, actor, [key], now)).get(key)


async def load_stance_facts(
    db: sql.Executor, actor: Actor, ids: Sequence[int], now: datetime
) -> dict[int, StanceFacts]:
    """What decides what `actor` may do with these votes at `now`; those that are not there are missing."""
    ids = known_ids(ids)
    rows = await _stance_rows(db, ids=ids, actor_id=actor.id) if ids else []
    polls = await load_facts(db, actor, [row.poll_id for row in rows], now)
    return {
        row.id: StanceFacts(
            id=row.id,
            is_mine=row.is_mine,
            is_latest=row.is_latest,
            is_cast=row.is_cast,
            is_accepted=row.is_accepted,
            is_revoked=row.is_revoked,
            was_invited=row.was_invited,
            poll=polls[row.poll_id],
        )
        for row in rows
        if row.poll_id in polls
    }


async def load_stances(db: sql.Executor, ids: Sequence[int]) -> list[PollPart]:
    """These votes; those that are not there are missing."""
    ids = known_ids(ids)
    return await _of_stances(db, ids=ids) if ids else []


async def load_outcomes(db: sql.Executor, ids: Sequence[int]) -> list[PollPart]:
    """These outcomes; those that are not there are missing."""
    ids = known_ids(ids)
    return await _of_outcomes(db, ids=ids) if ids else []
