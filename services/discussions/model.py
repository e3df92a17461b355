# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is known of a thread."""

from __future__ import annotations

import msgspec


class DiscussionFacts(msgspec.Struct, frozen=True):
    """What decides whether one actor sees one thread."""

    id: int
    is_kept: bool
    is_in_archived_group: bool
    is_public: bool
    is_in_my_group: bool
    is_open_to_me_as_parent_member: bool
    am_guest: bool
