# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reactions from the database."""

from __future__ import annotations

from services.comments import store as comments
from services.kernel import sql
from services.kernel.params import known_ids
from services.polls import store as polls
from services.reactions.model import Reactables, Reaction

queries = sql.load(__file__)
_reactions_on = queries.many("reactions_on", Reaction)


async def load_reactions(db: sql.Executor, on: Reactables) -> list[Reaction]:
    """The reactions on any of these records."""
    return await _reactions_on(
        db,
        comment_ids=known_ids(on.comments),
        discussion_ids=known_ids(on.discussions),
        outcome_ids=known_ids(on.outcomes),
        poll_ids=known_ids(on.polls),
        stance_ids=known_ids(on.stances),
    )


async def load_contexts(db: sql.Executor, on: Reactables) -> tuple[set[int | None], set[int | None]]:
    """The threads and the polls that these records are or belong to."""
    places = await comments.load_places(db, on.comments)
    parts = [*await polls.load_stances(db, on.stances), *await polls.load_outcomes(db, on.outcomes)]
    discussion_ids = {*on.discussions, *(place.discussion_id for place in places)}
    return discussion_ids, {*on.polls, *(part.poll_id for part in parts)}
