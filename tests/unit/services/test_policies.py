# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may see what: every combination of facts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from services.comments import policy as comments
from services.comments.model import CommentFacts
from services.discussions import policy as discussions
from services.discussions.model import DiscussionFacts
from services.polls import policy as polls
from services.polls.model import PollFacts
from services.reactions import policy as reactions

Facts = TypeVar("Facts", DiscussionFacts, PollFacts)


def every(kind: type[Facts]) -> Iterator[Facts]:
    """All facts that there can be, of record 1."""
    for truth in itertools.product((False, True), repeat=len(msgspec.structs.fields(kind)) - 1):
        yield kind(1, *truth)


OPEN_THREAD = DiscussionFacts(1, True, False, True, False, False, False)
HIDDEN_THREAD = msgspec.structs.replace(OPEN_THREAD, is_public=False)
OPEN_POLL = PollFacts(1, True, True, False, False, False, False)
HIDDEN_POLL = msgspec.structs.replace(OPEN_POLL, am_author=False)


def test_threads() -> None:
    for facts in every(DiscussionFacts):
        opens = (facts.is_public, facts.is_in_my_group, facts.am_guest, facts.is_open_to_me_as_parent_member)
        assert discussions.can_show(facts) is (
            facts.is_kept and not facts.is_in_archived_group and any(opens)
        )
    assert not discussions.can_show(None)


def test_polls() -> None:
    for facts in every(PollFacts):
        opens = (facts.am_author, facts.is_public, facts.am_member, facts.am_guest_of_thread, facts.am_guest)
        assert polls.can_show(facts) is (facts.is_kept and any(opens))
    assert not polls.can_show(None)


def test_comments_need_their_thread_and_must_be_kept() -> None:
    assert comments.can_show(CommentFacts(1, 1, True), OPEN_THREAD)
    assert not comments.can_show(CommentFacts(1, 1, False), OPEN_THREAD)
    assert not comments.can_show(CommentFacts(1, 1, True), HIDDEN_THREAD)
    assert not comments.can_show(CommentFacts(1, None, True), None)


def test_reactions_need_every_thread_and_every_poll() -> None:
    threads, ballots = {1: OPEN_THREAD, 2: HIDDEN_THREAD}, {1: OPEN_POLL, 2: HIDDEN_POLL}
    assert reactions.can_see_all(set(), set(), {}, {})
    assert reactions.can_see_all({1}, {1}, threads, ballots)
    assert not reactions.can_see_all({1, 2}, {1}, threads, ballots)
    assert not reactions.can_see_all({1}, {1, 2}, threads, ballots)
    assert not reactions.can_see_all({1, 3}, set(), threads, ballots)
    assert not reactions.can_see_all({None}, set(), threads, ballots)
    assert not reactions.can_see_all(set(), {None}, threads, ballots)
