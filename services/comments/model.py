# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is known of a comment."""

from __future__ import annotations

import msgspec


class CommentFacts(msgspec.Struct, frozen=True):
    """What decides, with its thread, who sees a comment."""

    id: int
    discussion_id: int | None
    is_kept: bool
