# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may see reactions, and react. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set

from services.discussions import policy as discussions
from services.discussions.model import DiscussionFacts
from services.kernel.abilities import Ability, Policies, Policy
from services.polls import policy as polls
from services.polls.model import PollFacts
from services.reactions.model import ReactionFacts


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


def can_show(reaction: ReactionFacts) -> bool:
    """Whether the actor sees it by itself."""
    return reaction.may_show_record


def can_update(reaction: ReactionFacts) -> bool:
    """Whether they may react: to all that they see, as soon as they have a name."""
    return reaction.am_signed_in and reaction.may_show_record


def can_destroy(reaction: ReactionFacts) -> bool:
    """Whether they may take it back."""
    return reaction.am_author


POLICIES = Policies(
    {
        Ability.REACTION_DESTROY: Policy(ReactionFacts, can_destroy),
        Ability.REACTION_SHOW: Policy(ReactionFacts, can_show),
        Ability.REACTION_UPDATE: Policy(ReactionFacts, can_update),
    }
)
