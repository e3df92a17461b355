# SPDX-License-Identifier: AGPL-3.0-or-later
"""Closing and reopening accounts, by whoever has the installation's key (Loomio's controllers/api/b3).

Closing is Sidekiq's job in Loomio, and stays that: it withdraws somebody from groups, threads and votes. Reopening
brings back the memberships that closing took; what the search finds is renewed by Sidekiq again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from services.kernel.body import text_of
from services.kernel.clock import rails_time
from services.kernel.credential import Credential
from services.kernel.errors import NotFoundError
from services.kernel.http import Context, Handler
from services.kernel.locate import plain_id
from services.kernel.parameters import number
from services.kernel.params import known_ids
from services.kernel.rails_jobs import hand_over
from services.kernel.routes import Route
from services.users import store
from services.users.model import initials


class ClosedAccount(msgspec.Struct, frozen=True):
    """A row of `users` that is closed."""

    id: int
    name: str | None
    email: str | None
    deactivated_at: datetime


_open_ids = store.queries.values("open_account_ids", int)
_closed = store.queries.one("closed_account", ClosedAccount)
_restore_memberships = store.queries.command("restore_memberships")
_recount_groups = store.queries.command("recount_groups_of")
_reopen = store.queries.command("reopen_account")


async def deactivate(context: Context) -> dict[str, Any]:
    """Close an account. Raises `NotFoundError` where there is none, or it is closed."""
    user_id = _asked_id(context)
    if not await _open_ids(context.db, id=user_id):
        raise NotFoundError("User")
    # Nobody is signed in: Loomio notes that they closed it themselves.
    await context.db.atomically(lambda: hand_over(context, "DeactivateUserWorker", user_id, user_id))
    return {"success": "ok"}


async def reactivate(context: Context) -> dict[str, Any]:
    """Reopen an account. Raises `NotFoundError` where there is none, or it is open."""
    user_id = _asked_id(context)
    await context.db.atomically(lambda: _do_reactivate(context, user_id))
    return {"success": "ok"}


def _asked_id(context: Context) -> int:
    """Whom the request is about; an id that no row has where it does not say."""
    asked = plain_id(text_of(context.body, "id") or context.params.text("id") or "")
    return next(iter(known_ids([asked or 0])), 0)


async def _do_reactivate(context: Context, user_id: int) -> None:
    account = await _closed(context.db, id=user_id)
    if account is None:
        raise NotFoundError("User")
    now = context.clock().replace(tzinfo=None)
    await _restore_memberships(context.db, id=user_id, closed_at=account.deactivated_at)
    await _recount_groups(context.db, id=user_id, now=now)
    if _may_be_kept(account, context):
        letters = initials(account.name, account.email)[:3]
        await _reopen(context.db, id=user_id, initials=letters, now=now)
        changes = {"deactivated_at": [rails_time(account.deactivated_at), None]}
        await store.add_version(context.db, id=user_id, event="update", changes=changes, now=now)
    await hand_over(context, "GenericWorker", "SearchService", "reindex_by_author_id", user_id)


def _may_be_kept(account: ClosedAccount, context: Context) -> bool:
    """Whether Loomio saves such a row. It does not where the person was erased, nor where they look like spam; it
    says nothing of it, and does the rest.
    """
    spam = context.settings.spam
    return account.email is not None and not any(
        spam.search(text or "") for text in (account.email, account.name)
    )


ID = number("id", "Of the account. May stand in the body as well.")

ROUTES: tuple[Route[Handler], ...] = (
    Route(
        "POST",
        "/api/b3/users/deactivate",
        "b3/users#deactivate",
        deactivate,
        takes=Credential.B3,
        reads=(ID,),
    ),
    Route(
        "POST",
        "/api/b3/users/reactivate",
        "b3/users#reactivate",
        reactivate,
        takes=Credential.B3,
        reads=(ID,),
    ),
)
