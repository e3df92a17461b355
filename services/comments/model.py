# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is known of a comment."""

from __future__ import annotations

import msgspec

from services.discussions.model import DiscussionFacts


class CommentPlace(msgspec.Struct, frozen=True):
    """A comment, and the thread it belongs to."""

    id: int
    discussion_id: int | None


class CommentRow(CommentPlace, frozen=True):
    """What decides, with its thread, what one actor may do with a comment."""

    is_kept: bool
    am_author: bool
    has_replies: bool
    """Discarded ones count."""


class CommentFacts(msgspec.Struct, frozen=True):
    """What decides what one actor may do with one comment."""

    id: int
    is_kept: bool
    am_author: bool
    has_replies: bool
    discussion: DiscussionFacts | None
