# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with a thread. Pure."""

from __future__ import annotations

from services.discussions.model import DiscussionFacts


def can_show(discussion: DiscussionFacts | None) -> bool:
    """Whether the actor sees the thread (Loomio's queries/discussion_query.rb); nobody sees one that is not there."""
    if discussion is None or not discussion.is_kept or discussion.is_in_archived_group:
        return False
    return (
        discussion.is_public
        or discussion.is_in_my_group
        or discussion.am_guest
        or discussion.is_open_to_me_as_parent_member
    )
