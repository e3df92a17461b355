# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an invitation does to memberships, in every combination of what is there."""

from __future__ import annotations

import itertools
from datetime import datetime

import pytest

from services.groups.redeem import Place, plan

NOW = datetime(2031, 5, 1, 12)  # noqa: DTZ001 (as columns have it)
ME, INVITED, INVITER = 1, 2, 3
TOP, SUB = 10, 11
STATES = {
    "none": None,
    "pending": (None, None),
    "accepted": (NOW, None),
    "revoked": (NOW, NOW),
    "refused": (None, NOW),
}


def place(key: int, group: int, user: int, state: str) -> Place | None:
    if (moments := STATES[state]) is None:
        return None
    accepted_at, revoked_at = moments
    return Place(key, group, user, INVITER, False, None, 2, revoked_at, None, accepted_at)


@pytest.mark.parametrize(("mine", "other"), list(itertools.product(STATES, ("none", "pending"))))
def test_an_invitation_to_another_address(mine: str, other: str) -> None:
    """`mine` is what I have in the group itself, `other` what the address has in another group, where I have none."""
    invitation, own, beside = (
        place(1, TOP, INVITED, "pending"),
        place(2, TOP, ME, mine),
        place(3, SUB, INVITED, other),
    )
    assert invitation is not None
    decided = plan(invitation, [one for one in (invitation, own, beside) if one], ME)
    more = () if beside is None else (beside,)
    assert decided.groups == (TOP, SUB)[: 1 + len(more)]
    assert decided.moved == ((invitation, *more) if own is None else more)
    assert decided.dropped == (() if own is None else (invitation,))
    assert decided.restored == ((own,) if mine in ("revoked", "refused") else ())
    assert decided.accepted == ((own,) if mine == "pending" else ())
    assert decided.is_news is (mine != "accepted")


@pytest.mark.parametrize("other", STATES)
def test_an_invitation_to_oneself(other: str) -> None:
    invitation, beside = place(1, TOP, ME, "pending"), place(2, SUB, ME, other)
    assert invitation is not None
    decided = plan(invitation, [one for one in (invitation, beside) if one], ME)
    more = (beside,) if other == "pending" else ()
    assert decided.accepted == (invitation, *more)
    assert (decided.moved, decided.dropped, decided.restored) == ((), (), ())
    assert decided.is_news


@pytest.mark.parametrize("state", ["accepted", "revoked", "refused"])
def test_what_the_address_accepted_or_lost_is_left_alone(state: str) -> None:
    invitation, beside = place(1, TOP, INVITED, "pending"), place(2, SUB, INVITED, state)
    assert invitation is not None
    assert beside is not None
    decided = plan(invitation, [invitation, beside], ME)
    assert decided.groups == (TOP,)
    assert decided.moved == (invitation,)
    assert decided.dropped == ()
