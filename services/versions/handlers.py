# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of versions."""

from __future__ import annotations

from typing import Any

from services.kernel.errors import AccessDeniedError, NotFoundError
from services.kernel.http import Context, Handler
from services.kernel.locate import named
from services.kernel.parameters import number, record, text
from services.kernel.params import ruby_to_i
from services.kernel.routes import Route
from services.versions import store
from services.versions.model import Item
from services.versions.serializer import VERSION

KINDS: dict[str, store.Find] = {
    "group": store.find_group,
    "discussion": store.find_discussion,
    "comment": store.find_comment,
    "stance": store.find_stance,
    "poll": store.find_poll,
    "outcome": store.find_outcome,
}
"""In the order in which Loomio looks for parameters; the last one is taken when there is none of the others."""


async def show(context: Context) -> dict[str, Any]:
    """One version of the record that the request names."""
    item = await find_item(context)
    version = await store.load_version(context.db, item, ruby_to_i(context.params.text("index") or ""))
    if version is None:
        raise NotFoundError("Version")
    return await context.respond(VERSION, [version], scope=context.scope(excluded=frozenset()))


async def find_item(context: Context) -> Item:
    """The record that the request names, if the actor sees it. Raises `NotFoundError`, `AccessDeniedError`."""
    params = context.params
    kind = next((kind for kind in KINDS if named(params, kind) is not None), "outcome")
    name = named(params, kind) or params.text("key") or params.text("id") or ""
    item = await KINDS[kind](context, name)
    if item is None:
        raise NotFoundError(kind.capitalize())
    if not item.is_shown:
        raise AccessDeniedError(f"show this {kind}")
    return item


ROUTES: tuple[Route[Handler], ...] = (
    Route(
        "GET",
        "/api/v1/versions",
        "versions#show",
        show,
        reads=(
            *(parameter for kind in KINDS for parameter in record(kind)),
            text("key", "Of the record, where it is not named by its kind."),
            text("id", "Of the record, as `key`; a group's handle."),
            number("index", "Which one: 0 is the oldest, -1 the newest."),
        ),
    ),
)
