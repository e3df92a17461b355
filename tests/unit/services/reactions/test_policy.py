# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may see reactions, and react (facts: models/ability/reaction.rb, queries/reaction_query.rb)."""

from __future__ import annotations

import pytest

from services.discussions.model import DiscussionFacts
from services.kernel.abilities import Ability
from services.polls.model import PollFacts
from services.reactions.model import ReactionFacts
from services.reactions.policy import POLICIES, can_see_all
from tests.policytables import Tables, facts_of, no, table, wrong_rows, yes

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


OPEN_THREAD = facts_of(DiscussionFacts, frozenset(("is_kept", "is_public")))
HIDDEN_THREAD = facts_of(DiscussionFacts, frozenset(("is_kept",)))
OPEN_POLL = facts_of(PollFacts, frozenset(("is_kept", "am_author")))
HIDDEN_POLL = facts_of(PollFacts, frozenset(("is_kept",)))


def test_reactions_need_every_thread_and_every_poll() -> None:
    threads, ballots = {1: OPEN_THREAD, 2: HIDDEN_THREAD}, {1: OPEN_POLL, 2: HIDDEN_POLL}
    assert can_see_all(set(), set(), {}, {})
    assert can_see_all({1}, {1}, threads, ballots)
    assert not can_see_all({1, 2}, {1}, threads, ballots)
    assert not can_see_all({1}, {1, 2}, threads, ballots)
    assert not can_see_all({1, 3}, set(), threads, ballots)
    assert not can_see_all({None}, set(), threads, ballots)
    assert not can_see_all(set(), {None}, threads, ballots)
