# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with tasks (facts: models/ability/task.rb)."""

from __future__ import annotations

import pytest

from services.kernel.abilities import Ability
from services.tasks.model import TaskFacts
from services.tasks.policy import POLICIES
from tests.policytables import Tables, no, table, wrong_rows, yes

TABLES: Tables = {
    Ability.TASK_UPDATE: table(
        TaskFacts, no(), yes("am_author"), yes("am_assignee"), yes("may_update_record")
    ),
}


@pytest.mark.parametrize("ability", TABLES)
def test_each_situation_has_its_answer(ability: Ability) -> None:
    assert not wrong_rows(POLICIES[ability], TABLES[ability])
