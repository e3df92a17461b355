# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of groups."""

from __future__ import annotations

from typing import Any

from services.groups import handles, store
from services.kernel.http import Context, Handler
from services.kernel.routes import Route


async def count_explore_results(context: Context) -> dict[str, Any]:
    """How many groups the directory shows."""
    return {"count": await store.count_explored(context.db, context.params.text("q"))}


async def suggest_handle(context: Context) -> dict[str, Any]:
    """A free handle for a group of this name."""
    params = context.params
    base = handles.base_of(params.text("parent_handle"), params.text("name"), context.locale)
    taken = await store.load_handles_like(context.db, base)
    return {"handle": handles.first_free(base, taken)}


ROUTES: tuple[Route[Handler], ...] = (
    Route(
        "GET", "/api/v1/groups/count_explore_results", "groups#count_explore_results", count_explore_results
    ),
    Route("GET", "/api/v1/groups/suggest_handle", "groups#suggest_handle", suggest_handle),
)
