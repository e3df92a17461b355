# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with a comment. Pure."""

from __future__ import annotations

from services.comments.model import CommentFacts
from services.discussions import policy as discussions
from services.discussions.model import DiscussionFacts


def can_show(comment: CommentFacts, discussion: DiscussionFacts | None) -> bool:
    """Whether the actor sees the comment (Loomio's ability/comment.rb)."""
    return comment.is_kept and discussions.can_show(discussion)
