# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is known of a group."""

from __future__ import annotations

import msgspec


class GroupFacts(msgspec.Struct, frozen=True):
    """What decides whether one actor sees one group."""

    id: int
    is_archived: bool
    is_visible_to_public: bool
    is_visible_to_parent_members: bool
    am_member: bool
    am_parent_member: bool
    hold_its_token: bool
    hold_an_invitation: bool
