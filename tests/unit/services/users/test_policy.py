# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with accounts (facts: models/ability/user.rb, identity.rb)."""

from __future__ import annotations

import pytest

from services.kernel.abilities import Ability
from services.users.model import ContactFacts, IdentityFacts, UserFacts
from services.users.policy import POLICIES
from tests.policytables import Tables, no, table, wrong_rows, yes

OWN = table(UserFacts, no("am_site_admin"), yes("is_mine"))
IDENTITY = table(IdentityFacts, no(), yes("is_mine"))

TABLES: Tables = {
    Ability.IDENTITY_DESTROY: IDENTITY,
    Ability.IDENTITY_SHOW: IDENTITY,
    Ability.USER_CONTACT: table(
        ContactFacts, no(), yes("shares_a_group"), yes("shares_a_thread"), yes("shares_a_poll")
    ),
    Ability.USER_DEACTIVATE: table(
        UserFacts,
        no("is_active"),
        yes("is_active", "is_mine"),
        yes("is_active", "am_site_admin"),
        no("is_mine"),
        no("am_site_admin"),
    ),
    Ability.USER_REDACT: table(
        UserFacts,
        no("has_email", "is_active"),
        yes("has_email", "is_mine"),
        yes("has_email", "am_site_admin"),
        no("is_mine", "is_active"),
    ),
    Ability.USER_SEE_NOTIFICATIONS_FOR: OWN,
    Ability.USER_SHOW: table(
        UserFacts, no("is_active"), no("am_signed_in"), yes("am_signed_in", "is_active")
    ),
    Ability.USER_SUBSCRIBE_TO: OWN,
    Ability.USER_UPDATE: OWN,
}


@pytest.mark.parametrize("ability", TABLES)
def test_each_situation_has_its_answer(ability: Ability) -> None:
    assert not wrong_rows(POLICIES[ability], TABLES[ability])
