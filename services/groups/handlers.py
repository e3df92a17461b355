# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of groups."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.groups import handles, policy, store
from services.groups.serializer import GROUP
from services.kernel.abilities import Ability
from services.kernel.errors import NotFoundError
from services.kernel.http import Context, Handler
from services.kernel.locate import named
from services.kernel.parameters import EXCLUDE_TYPES, PAGE, ids, one_of, record, text
from services.kernel.routes import Route
from services.kernel.sideload import Scope
from services.users.handlers import UNSUBSCRIBE_TOKEN, viewer_id_of


async def count_explore_results(context: Context) -> dict[str, Any]:
    """How many groups the directory shows."""
    return {"count": await store.count_explored(context.db, context.params.text("q"))}


async def suggest_handle(context: Context) -> dict[str, Any]:
    """A free handle for a group of this name."""
    params = context.params
    base = handles.base_of(params.text("parent_handle"), params.text("name"), context.locale)
    taken = await store.load_handles_like(context.db, base)
    return {"handle": handles.first_free(base, taken)}


async def index(context: Context) -> dict[str, Any]:
    """The groups of these ids that the actor sees; without ids, the public directory."""
    params = context.params
    page = params.page()
    if ids := params.ids("xids"):
        visible = await store.load_visible_ids(context.db, context.actor.id, ids)
        found, total = visible[page.first : page.first + page.number], len(visible)
    else:
        words = params.text("q")
        total = await store.count_explored(context.db, words)
        found = await store.load_explored_ids(context.db, words, params.text("order"), page)
    return await respond(context, found, context.scope(), context.actor.id, total)


async def subgroups(context: Context) -> dict[str, Any]:
    """The groups in a group, as far as the actor sees them."""
    params = context.params
    name = named(params, "group") or params.text("key") or params.text("id") or ""
    group = await store.find(context.db, context.actor, name, params.text("id"), context.now)
    if group is None:
        raise NotFoundError("Group")
    policy.POLICIES.check(Ability.GROUP_SHOW, group)
    inside = await store.load_subgroup_ids(context.db, group.id)
    facts = await store.load_facts(context.db, context.actor, inside, context.now)
    seen = [key for key in inside if policy.can_show(facts[key])]
    return await respond(context, seen, context.scope(), context.actor.id)


async def mine(context: Context) -> dict[str, Any]:
    """The groups that somebody sees from inside. Loomio tells them as to nobody in particular."""
    viewer_id = await viewer_id_of(context)
    found = await store.load_inside_ids(context.db, viewer_id)
    return await respond(context, found, replace(context.scope(), actor_id=None), viewer_id)


async def respond(
    context: Context, ids: list[int], scope: Scope, member_id: int | None, total: int | None = None
) -> dict[str, Any]:
    """These groups, with the memberships of `member_id`, unless the request wants none of these."""
    if not scope.excluded.isdisjoint(("group", "membership")):
        member_id = None
    sources = store.sources_for(member_id)
    groups = await sources["group"].load(context.db, ids) if ids else {}
    rows = [groups[key] for key in ids]
    return await context.respond(GROUP, rows, total=total, scope=scope, sources=sources)


WORDS = text("q", "What name or description of a group holds.")

ROUTES: tuple[Route[Handler], ...] = (
    Route(
        "GET",
        "/api/v1/groups/count_explore_results",
        "groups#count_explore_results",
        count_explore_results,
        reads=(WORDS,),
    ),
    Route(
        "GET",
        "/api/v1/groups/suggest_handle",
        "groups#suggest_handle",
        suggest_handle,
        reads=(text("name", "Of the new group."), text("parent_handle", "Of the group it will lie in.")),
    ),
    Route(
        "GET",
        "/api/v1/groups/:id/subgroups",
        "groups#subgroups",
        subgroups,
        reads=(*record("group"), text("key", "As `group_key`."), EXCLUDE_TYPES),
    ),
    Route(
        "GET",
        "/api/v1/groups",
        "groups#index",
        index,
        reads=(
            ids("xids", "Ids of groups, joined by x; without these the public directory is answered."),
            WORDS,
            one_of("order", store.ORDERS, "Of the directory; the first is usual."),
            *PAGE,
            EXCLUDE_TYPES,
        ),
    ),
    Route("GET", "/api/v1/profile/groups", "profile#groups", mine, reads=(UNSUBSCRIBE_TOKEN, EXCLUDE_TYPES)),
)
