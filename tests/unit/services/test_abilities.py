# SPDX-License-Identifier: AGPL-3.0-or-later
"""All abilities there are: each is decided once, and its table proves what decides it."""

from __future__ import annotations

import pytest

from services.groups.policy import POLICIES
from services.kernel.abilities import Ability
from tests.policytables import unproven
from tests.unit.services.groups.test_policy import TABLES


def test_they_stand_in_alphabetical_order() -> None:
    assert list(Ability) == sorted(Ability)


@pytest.mark.parametrize("ability", TABLES)
def test_whatever_decides_is_proven_by_the_table(ability: Ability) -> None:
    assert not unproven(POLICIES[ability], TABLES[ability])
