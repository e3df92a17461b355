# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may see what: every combination of facts."""

from __future__ import annotations

from services.discussions.model import DiscussionFacts
from services.polls.model import PollFacts
from services.reactions import policy as reactions
from tests.policytables import facts_of

OPEN_THREAD = facts_of(DiscussionFacts, frozenset(("is_kept", "is_public")))
HIDDEN_THREAD = facts_of(DiscussionFacts, frozenset(("is_kept",)))
OPEN_POLL = facts_of(PollFacts, frozenset(("is_kept", "am_author")))
HIDDEN_POLL = facts_of(PollFacts, frozenset(("is_kept",)))


def test_reactions_need_every_thread_and_every_poll() -> None:
    threads, ballots = {1: OPEN_THREAD, 2: HIDDEN_THREAD}, {1: OPEN_POLL, 2: HIDDEN_POLL}
    assert reactions.can_see_all(set(), set(), {}, {})
    assert reactions.can_see_all({1}, {1}, threads, ballots)
    assert not reactions.can_see_all({1, 2}, {1}, threads, ballots)
    assert not reactions.can_see_all({1}, {1, 2}, threads, ballots)
    assert not reactions.can_see_all({1, 3}, set(), threads, ballots)
    assert not reactions.can_see_all({None}, set(), threads, ballots)
    assert not reactions.can_see_all(set(), {None}, threads, ballots)
