# SPDX-License-Identifier: AGPL-3.0-or-later
"""All abilities there are: each is decided once, and its table proves what decides it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from services.app.abilities import POLICIES
from services.groups.model import GroupFacts, MembershipFacts
from services.kernel.abilities import Ability, Policies, Policy
from services.kernel.errors import AccessDeniedError
from tests.policytables import Table, Tables, facts_of, paths, read_by, table, unproven, yes
from tests.unit.services.comments import test_policy as comments
from tests.unit.services.discussions import test_policy as discussions
from tests.unit.services.documents import test_policy as documents
from tests.unit.services.groups import test_policy as groups
from tests.unit.services.polls import test_policy as polls
from tests.unit.services.reactions import test_policy as reactions
from tests.unit.services.tasks import test_policy as tasks
from tests.unit.services.users import test_policy as users

TABLES: Tables = {
    Ability.GLOBAL_MESSAGE_CHANNEL_SUBSCRIBE_TO: table(object, yes()),
    **comments.TABLES,
    **discussions.TABLES,
    **documents.TABLES,
    **groups.TABLES,
    **polls.TABLES,
    **reactions.TABLES,
    **tasks.TABLES,
    **users.TABLES,
}


def test_they_stand_in_alphabetical_order() -> None:
    assert list(Ability) == sorted(Ability)
    assert all(ability.name == ability.value.replace(".", "_").upper() for ability in Ability)


def test_each_has_a_policy_and_a_table_of_its_kind() -> None:
    assert set(POLICIES) == set(TABLES) == set(Ability)
    assert len(POLICIES) == len(Ability)
    assert [one for one in Ability if POLICIES[one].facts is not TABLES[one].kind] == []


def test_none_has_two_policies() -> None:
    with pytest.raises(ValueError, match=r"more than one policy for task\.update"):
        Policies(POLICIES, {Ability.TASK_UPDATE: POLICIES[Ability.TASK_UPDATE]})


@pytest.mark.parametrize("ability", TABLES)
def test_whatever_decides_is_proven_by_the_table(ability: Ability) -> None:
    assert not unproven(POLICIES[ability], TABLES[ability])


def test_the_proof_finds_what_a_table_leaves_open() -> None:
    def is_seen(group: GroupFacts) -> bool:
        return group.am_member and not group.is_archived

    policy = Policy(GroupFacts, is_seen)
    assert unproven(policy, table(GroupFacts, yes("am_member"))) == {
        "am_member": {False},
        "is_archived": {True},
    }


def test_no_fact_is_loaded_for_nothing() -> None:
    """Of each kind of facts, everything is read by some policy."""
    read: dict[type[Any], set[str]] = {}
    for ability, about in TABLES.items():
        for kind, name in owners(about, read_by(POLICIES[ability], about)):
            read.setdefault(kind, set()).add(name)
    kinds = [kind for kind in read if issubclass(kind, msgspec.Struct)]
    assert {kind.__name__: own(kind) - read[kind] for kind in kinds if own(kind) - read[kind]} == {}


def owners(about: Table, names: set[str]) -> Iterator[tuple[type[Any], str]]:
    """Each fact with the kind of facts that it belongs to."""
    for name in names:
        *records, last = name.split(".")
        facts = facts_of(about.kind, frozenset((name,)))
        for record in records:
            facts = getattr(facts, record)
        yield type(facts), last


def own(kind: type[Any]) -> set[str]:
    """What facts of this kind say themselves."""
    return {name for name in paths(kind) if "." not in name}


def test_to_check_is_to_go_on_or_to_be_refused() -> None:
    stranger = facts_of(GroupFacts, frozenset())
    POLICIES.check(Ability.GROUP_UPDATE, msgspec.structs.replace(stranger, am_admin=True))
    with pytest.raises(AccessDeniedError, match=r"\(group\.see_private_content\)"):
        POLICIES.check(Ability.GROUP_SEE_PRIVATE_CONTENT, stranger)


def test_facts_of_another_kind_decide_nothing() -> None:
    with pytest.raises(TypeError, match=r"membership\.show is decided by MembershipFacts, not GroupFacts"):
        POLICIES.can(Ability.MEMBERSHIP_SHOW, facts_of(GroupFacts, frozenset()))
    assert not POLICIES.can(Ability.MEMBERSHIP_SHOW, facts_of(MembershipFacts, frozenset()))
