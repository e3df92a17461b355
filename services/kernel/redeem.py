# SPDX-License-Identifier: AGPL-3.0-or-later
"""What waits for somebody to be signed in: mailed links, invitations, identities.

Any request of somebody signed in redeems what its session or its parameters hold, before it is answered, and
so does signing in. Each vertical brings its own `Redeemer`. Rails keeps the token of a membership in the
session, where it leads nowhere any more; here it goes with the others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.kernel.http import Context


@dataclass(frozen=True, slots=True)
class Redeemer:
    """Redeems one kind of thing."""

    session_key: str
    """Where it waits in the session; dropped once it was redeemed."""
    redeem: Callable[[Context, int], Awaitable[None]]
    """Gives it to the person with this id; a token that leads nowhere is nothing."""
    parameter: str | None = None
    """The parameter that brings it, where a request may."""


async def redeem_pending(context: Context, redeemers: Sequence[Redeemer], user_id: int) -> None:
    """Give what waits to this person."""
    for one in redeemers:
        in_request = one.parameter is not None and context.params.text(one.parameter) is not None
        if in_request or one.session_key in context.web.values:
            await one.redeem(context, user_id)
            context.web.drop(one.session_key)
