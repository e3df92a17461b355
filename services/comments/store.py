# SPDX-License-Identifier: AGPL-3.0-or-later
"""Comments from the database."""

from __future__ import annotations

from collections.abc import Sequence

from services.comments.model import CommentFacts
from services.kernel import sql
from services.kernel.params import known_ids

queries = sql.load(__file__)
_facts = queries.many("comment_facts", CommentFacts)


async def load_facts(db: sql.Executor, ids: Sequence[int]) -> dict[int, CommentFacts]:
    """What is known of these comments; those that are not there are missing."""
    ids = known_ids(ids)
    return {one.id: one for one in await _facts(db, ids=ids)} if ids else {}
