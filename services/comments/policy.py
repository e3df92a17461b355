# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with a comment. Pure."""

from __future__ import annotations

from services.comments.model import CommentFacts
from services.discussions import policy as discussions
from services.discussions.model import DiscussionFacts
from services.kernel.abilities import Ability, Policies, Policy


def can_show(comment: CommentFacts) -> bool:
    """Whether the actor sees the comment."""
    return comment.is_kept and discussions.can_show(comment.discussion)


def can_create(discussion: DiscussionFacts) -> bool:
    """Whether they may say something in the thread."""
    return not discussion.is_closed and discussions.is_member(discussion)


def can_update(comment: CommentFacts) -> bool:
    """Whether they may change what was said: where the group lets them, its author, and admins."""
    thread = comment.discussion
    if thread is None or thread.is_closed:
        return False
    if discussions.is_admin(thread) and thread.admins_can_edit_user_content:
        return True
    return _is_own(comment, thread) and thread.members_can_edit_comments


def can_discard(comment: CommentFacts) -> bool:
    """Whether they may take it away, and bring it back."""
    thread = comment.discussion
    if thread is None or thread.is_closed:
        return False
    return discussions.is_admin(thread) or _is_own(comment, thread)


def can_destroy(comment: CommentFacts) -> bool:
    """Whether they may take it away for good, which nobody may who would tear away answers to it."""
    thread = comment.discussion
    if thread is None or thread.is_closed or comment.has_replies:
        return False
    return discussions.is_admin(thread) or (_is_own(comment, thread) and thread.members_can_delete_comments)


def _is_own(comment: CommentFacts, thread: DiscussionFacts) -> bool:
    """Whether the actor said it, and still takes part."""
    return comment.am_author and discussions.is_member(thread)


POLICIES = Policies(
    {
        Ability.COMMENT_CREATE: Policy(DiscussionFacts, can_create),
        Ability.COMMENT_DESTROY: Policy(CommentFacts, can_destroy),
        Ability.COMMENT_DISCARD: Policy(CommentFacts, can_discard),
        Ability.COMMENT_SHOW: Policy(CommentFacts, can_show),
        Ability.COMMENT_UNDISCARD: Policy(CommentFacts, can_discard),
        Ability.COMMENT_UPDATE: Policy(CommentFacts, can_update),
    }
)
