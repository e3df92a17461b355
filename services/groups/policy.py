# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with a group. Pure."""

from __future__ import annotations

from services.groups.model import GroupFacts


def can_show(group: GroupFacts) -> bool:
    """Whether the actor sees the group (Loomio's ability/group.rb)."""
    return not group.is_archived and (
        group.is_visible_to_public
        or group.am_member
        or (group.is_visible_to_parent_members and group.am_parent_member)
        or group.hold_its_token
        or group.hold_an_invitation
    )
