# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with documents and attachments (facts: models/ability/document.rb, attachment.rb)."""

from __future__ import annotations

import pytest

from services.documents.model import DocumentFacts
from services.documents.policy import POLICIES
from services.groups.model import GroupFacts
from services.kernel.abilities import Ability
from tests.policytables import Tables, no, table, wrong_rows, yes

UPDATE = table(
    DocumentFacts,
    no(),
    yes("am_verified"),
    no("may_update_record"),
    no("has_record", "am_verified"),
    no("has_record", "am_group_admin"),
    yes("has_record", "may_update_record"),
)

TABLES: Tables = {
    Ability.ATTACHMENT_DESTROY: table(
        GroupFacts, no("am_member"), yes("am_admin"), no("am_admin", "is_archived")
    ),
    Ability.ATTACHMENT_SHOW: table(
        GroupFacts, no("is_visible_to_public"), yes("am_member"), no("am_member", "is_archived")
    ),
    Ability.DOCUMENT_CREATE: UPDATE,
    Ability.DOCUMENT_DESTROY: table(
        DocumentFacts,
        no("has_record", "may_update_record"),
        yes("has_record", "am_group_admin"),
        no("am_group_admin"),
    ),
    Ability.DOCUMENT_UPDATE: UPDATE,
}


@pytest.mark.parametrize("ability", TABLES)
def test_each_situation_has_its_answer(ability: Ability) -> None:
    assert not wrong_rows(POLICIES[ability], TABLES[ability])
