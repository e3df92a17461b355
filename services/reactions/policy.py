# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may see reactions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set

from services.discussions import policy as discussions
from services.discussions.model import DiscussionFacts
from services.polls import policy as polls
from services.polls.model import PollFacts


def can_see_all(
    discussion_ids: Set[int | None],
    poll_ids: Set[int | None],
    seen_discussions: Mapping[int, DiscussionFacts],
    seen_polls: Mapping[int, PollFacts],
) -> bool:
    """Whether the actor sees every one of these threads and polls; None stands for one that is missing."""
    return all(
        key is not None and discussions.can_show(seen_discussions.get(key)) for key in discussion_ids
    ) and all(key is not None and polls.can_show(seen_polls.get(key)) for key in poll_ids)
