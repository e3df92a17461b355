# SPDX-License-Identifier: AGPL-3.0-or-later
"""All abilities there are: each is decided once, and its table proves what decides it."""

from __future__ import annotations

import pytest

from services.comments.policy import POLICIES as COMMENTS
from services.discussions.policy import POLICIES as DISCUSSIONS
from services.groups.policy import POLICIES as GROUPS
from services.kernel.abilities import Ability, Policies
from services.polls.policy import POLICIES as POLLS
from tests.policytables import unproven
from tests.unit.services.comments import test_policy as comments
from tests.unit.services.discussions import test_policy as discussions
from tests.unit.services.groups import test_policy as groups
from tests.unit.services.polls import test_policy as polls

POLICIES = Policies(COMMENTS, DISCUSSIONS, GROUPS, POLLS)
TABLES = {**comments.TABLES, **discussions.TABLES, **groups.TABLES, **polls.TABLES}


def test_they_stand_in_alphabetical_order() -> None:
    assert list(Ability) == sorted(Ability)


@pytest.mark.parametrize("ability", TABLES)
def test_whatever_decides_is_proven_by_the_table(ability: Ability) -> None:
    assert not unproven(POLICIES[ability], TABLES[ability])
