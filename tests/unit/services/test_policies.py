# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may see what: every combination of facts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from services.discussions.model import DiscussionFacts
from services.polls import policy as polls
from services.polls.model import PollFacts
from services.reactions import policy as reactions
from tests.policytables import facts_of

Facts = TypeVar("Facts", DiscussionFacts, PollFacts)


def every(kind: type[Facts]) -> Iterator[Facts]:
    """All facts that there can be, of record 1."""
    for truth in itertools.product((False, True), repeat=len(msgspec.structs.fields(kind)) - 1):
        yield kind(1, *truth)


OPEN_THREAD = facts_of(DiscussionFacts, frozenset(("is_kept", "is_public")))
HIDDEN_THREAD = facts_of(DiscussionFacts, frozenset(("is_kept",)))
OPEN_POLL = PollFacts(1, True, True, False, False, False, False)
HIDDEN_POLL = msgspec.structs.replace(OPEN_POLL, am_author=False)


def test_polls() -> None:
    for facts in every(PollFacts):
        opens = (facts.am_author, facts.is_public, facts.am_member, facts.am_guest_of_thread, facts.am_guest)
        assert polls.can_show(facts) is (facts.is_kept and any(opens))
    assert not polls.can_show(None)


def test_reactions_need_every_thread_and_every_poll() -> None:
    threads, ballots = {1: OPEN_THREAD, 2: HIDDEN_THREAD}, {1: OPEN_POLL, 2: HIDDEN_POLL}
    assert reactions.can_see_all(set(), set(), {}, {})
    assert reactions.can_see_all({1}, {1}, threads, ballots)
    assert not reactions.can_see_all({1, 2}, {1}, threads, ballots)
    assert not reactions.can_see_all({1}, {1, 2}, threads, ballots)
    assert not reactions.can_see_all({1, 3}, set(), threads, ballots)
    assert not reactions.can_see_all({None}, set(), threads, ballots)
    assert not reactions.can_see_all(set(), {None}, threads, ballots)
