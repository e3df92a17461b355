# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of reactions."""

from __future__ import annotations

from typing import Any

from services.discussions import store as discussions
from services.kernel.errors import AccessDeniedError
from services.kernel.http import Context, Handler
from services.kernel.parameters import EXCLUDE_TYPES, ids
from services.kernel.params import Params
from services.kernel.routes import Route
from services.polls import store as polls
from services.reactions import policy, store
from services.reactions.model import Reactables
from services.reactions.serializer import REACTION


def reactables_of(params: Params) -> Reactables:
    """The records that a request names, ids joined by `x`."""
    return Reactables(
        comments=params.ids("comment_ids") or [],
        discussions=params.ids("discussion_ids") or [],
        outcomes=params.ids("outcome_ids") or [],
        polls=params.ids("poll_ids") or [],
        stances=params.ids("stance_ids") or [],
    )


async def index(context: Context) -> dict[str, Any]:
    """The reactions on the records that the request names, with the people they come from."""
    on = reactables_of(context.params)
    discussion_ids, poll_ids = await store.load_contexts(context.db, on)
    seen_discussions = await discussions.load_facts(context.db, context.actor, _present(discussion_ids))
    seen_polls = await polls.load_facts(context.db, context.actor, _present(poll_ids), context.now)
    if not policy.can_see_all(discussion_ids, poll_ids, seen_discussions, seen_polls):
        raise AccessDeniedError("see these reactions")
    return await context.respond(REACTION, await store.load_reactions(context.db, on))


def _present(ids: set[int | None]) -> list[int]:
    return [key for key in ids if key is not None]


ROUTES: tuple[Route[Handler], ...] = (
    Route(
        "GET",
        "/api/v1/reactions",
        "reactions#index",
        index,
        reads=(
            ids("comment_ids"),
            ids("discussion_ids"),
            ids("outcome_ids"),
            ids("poll_ids"),
            ids("stance_ids"),
            EXCLUDE_TYPES,
        ),
    ),
)
