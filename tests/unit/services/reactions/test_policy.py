# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may react (facts: models/ability/reaction.rb)."""

from __future__ import annotations

import pytest

from services.kernel.abilities import Ability
from services.reactions.model import ReactionFacts
from services.reactions.policy import POLICIES
from tests.policytables import Tables, no, table, wrong_rows, yes

TABLES: Tables = {
    Ability.REACTION_DESTROY: table(ReactionFacts, no("am_signed_in", "may_show_record"), yes("am_author")),
    Ability.REACTION_SHOW: table(ReactionFacts, no("am_author"), yes("may_show_record")),
    Ability.REACTION_UPDATE: table(
        ReactionFacts,
        no("am_signed_in"),
        no("may_show_record"),
        yes("am_signed_in", "may_show_record"),
    ),
}


@pytest.mark.parametrize("ability", TABLES)
def test_each_situation_has_its_answer(ability: Ability) -> None:
    assert not wrong_rows(POLICIES[ability], TABLES[ability])
