# SPDX-License-Identifier: AGPL-3.0-or-later
"""Invitations to vote, sent to an address: who follows one while signed in votes as themselves from then on."""

from __future__ import annotations

from services.kernel.http import Context
from services.kernel.redeem import Redeemer
from services.polls.store import queries
from services.users.pending import waiting_token

_redeem = queries.values("redeem_stance", int)


async def redeem(context: Context, user_id: int) -> None:
    """Give an uncast vote of somebody whose address nobody proved to this person.

    Not where they have a vote in the poll, or had one that was taken from them (where Loomio falls over).
    """
    token = waiting_token(context, "stance")
    await context.db.atomically(lambda: _redeem(context.db, token=token, user_id=user_id, now=context.now))


REDEEMERS = (Redeemer("pending_stance_token", redeem, parameter="stance_token"),)
