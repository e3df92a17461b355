# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is known of a group and what belongs to it."""

from __future__ import annotations

import msgspec


class GroupFacts(msgspec.Struct, frozen=True):
    """What decides what one actor may do with one group, and with what has no more than its group to go by.

    A membership counts until it is revoked, accepted or not, in archived groups too. `parent` is the group
    that a subgroup lies in.
    """

    id: int
    is_archived: bool
    is_top: bool
    """It lies in no other group."""
    is_visible_to_public: bool
    is_visible_to_parent_members: bool
    has_public_threads_only: bool
    is_joined_upon_request: bool
    """Whoever asks is a member at once."""
    is_joined_upon_approval: bool
    """Whoever asks is a member as soon as somebody says so."""
    members_can_add_guests: bool
    members_can_add_members: bool
    members_can_announce: bool
    members_can_create_subgroups: bool
    members_can_raise_motions: bool
    members_can_start_discussions: bool
    has_active_subscription: bool
    """Its top group's; one without a subscription counts as having one."""
    am_member: bool
    am_admin: bool
    am_parent_member: bool
    am_parent_admin: bool
    hold_its_token: bool
    hold_an_invitation: bool
    """A token of a membership that nobody has accepted; this and the group's are of use to the signed-out alone."""
    am_verified: bool
    am_site_admin: bool


class NewGroupFacts(msgspec.Struct, frozen=True):
    """What decides whether one actor may found a group."""

    is_open_to_all: bool
    """Anybody may found top groups here (the setting `FEATURES_DISABLE_CREATE_GROUP` is off)."""
    am_verified: bool
    am_site_admin: bool
    parent: GroupFacts | None
    """The group it will lie in."""


class MembershipFacts(msgspec.Struct, frozen=True):
    """What decides what one actor may do with one membership."""

    id: int
    is_accepted: bool
    is_mine: bool
    am_inviter: bool
    am_group_member: bool
    am_group_admin: bool
    am_parent_admin: bool
    has_group_admins: bool
    am_site_admin: bool


class MembershipRequestFacts(msgspec.Struct, frozen=True):
    """What decides what one actor may do with one request to join."""

    is_mine: bool
    group: GroupFacts
