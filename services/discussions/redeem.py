# SPDX-License-Identifier: AGPL-3.0-or-later
"""Invitations to a thread, sent to an address: who follows one while signed in is its guest from then on."""

from __future__ import annotations

import msgspec

from services.discussions.store import queries
from services.kernel.db import ConstraintError
from services.kernel.http import Context
from services.kernel.redeem import Redeemer
from services.users.pending import waiting_token


class Invited(msgspec.Struct, frozen=True):
    """A guest of a thread who has not come yet, and who invited them."""

    id: int
    discussion_id: int
    inviter_id: int | None


_invited = queries.one("invited_reader", Invited)
_accept = queries.values("accept_as_reader", int)
_hand_over = queries.command("hand_reader_over")
_leave = queries.command("leave_reader")
_recount = queries.command("recount_readers")


async def redeem(context: Context, user_id: int) -> None:
    """Give the place of a guest, if it is theirs or that of an address that nobody proved.

    Where they are a reader of the thread already, they stay that, with the inviter's name; the other place goes.
    """
    token = waiting_token(context, "discussion_reader")

    async def act() -> None:
        invited = await _invited(context.db, token=token, user_id=user_id)
        if invited is None:
            return
        now = context.now
        if await _accept(
            context.db,
            discussion_id=invited.discussion_id,
            other_than=invited.id,
            user_id=user_id,
            inviter_id=invited.inviter_id,
            now=now,
        ):
            await _leave(context.db, id=invited.id)
        else:
            await _hand_over(context.db, id=invited.id, user_id=user_id, now=now)
        await _recount(context.db, id=invited.discussion_id, now=now)

    try:
        await context.db.atomically(act)
    except ConstraintError:
        await context.db.atomically(act)  # they became a reader in the meantime; now that is found


REDEEMERS = (Redeemer("pending_discussion_reader_token", redeem, parameter="discussion_reader_token"),)
