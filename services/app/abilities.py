# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every ability with its policy: what all domains decide, in one place.

Within a vertical, ask the policies of the domain that the record belongs to (`comments.policy.POLICIES`); this is
for whoever asks about any kind of record, and shows that nothing is left out.
"""

from __future__ import annotations

from services.comments.policy import POLICIES as COMMENTS
from services.discussions.policy import POLICIES as DISCUSSIONS
from services.documents.policy import POLICIES as DOCUMENTS
from services.groups.policy import POLICIES as GROUPS
from services.kernel.abilities import Ability, Policies, Policy
from services.polls.policy import POLICIES as POLLS
from services.reactions.policy import POLICIES as REACTIONS
from services.tasks.policy import POLICIES as TASKS
from services.users.policy import POLICIES as USERS


def everybody(_facts: object) -> bool:
    """What nobody is kept from: hearing what the site tells everybody."""
    return True


POLICIES = Policies(
    {Ability.GLOBAL_MESSAGE_CHANNEL_SUBSCRIBE_TO: Policy(object, everybody)},
    COMMENTS,
    DISCUSSIONS,
    DOCUMENTS,
    GROUPS,
    POLLS,
    REACTIONS,
    TASKS,
    USERS,
)
