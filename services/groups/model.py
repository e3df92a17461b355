# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is known of a group and what belongs to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

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


class Group(msgspec.Struct, frozen=True):
    """A row of `groups` as it is told, with what belongs to it and to its parent."""

    id: int
    key: str | None
    handle: str | None
    name: str | None
    parent_name: str | None
    content_locale: str | None
    description: str | None
    description_format: str
    created_at: datetime | None
    creator_id: int | None
    members_can_add_members: bool
    members_can_add_guests: bool
    members_can_announce: bool
    members_can_create_subgroups: bool
    members_can_start_discussions: bool
    members_can_edit_discussions: bool
    members_can_edit_comments: bool | None
    members_can_delete_comments: bool
    members_can_raise_motions: bool
    admins_can_edit_user_content: bool
    polls_count: int
    poll_templates_count: int
    closed_polls_count: int
    discussions_count: int
    public_discussions_count: int
    listed_in_explore: bool
    memberships_count: int
    delegates_count: int
    pending_memberships_count: int
    membership_granted_upon: str
    discussion_privacy_options: str
    admin_memberships_count: int
    archived_at: datetime | None
    attachments: Any
    link_previews: Any
    new_threads_max_depth: int
    new_threads_newest_first: bool
    open_discussions_count: int
    closed_discussions_count: int
    discussion_templates_count: int
    recent_activity_count: int
    is_visible_to_public: bool
    is_visible_to_parent_members: bool
    parent_members_can_see_discussions: bool
    subgroups_count: int
    category: str | None
    request_to_join_prompt: str | None
    can_start_polls_without_discussion: bool
    info: Any
    is_top: bool
    org_discussions_count: int
    org_members_count: int
    """Of the group and those in it; 0 for subgroups, where nobody asks."""
    logo: Any
    parent_logo: Any
    cover: Any
    parent_cover: Any
    """Files as `[id, filename, content type]`, or null."""
    has_subscription: bool
    subscription_max_members: int | None
    subscription_max_threads: int | None
    subscription_allow_subgroups: bool | None
    subscription_plan: str | None
    subscription_state: str | None
    subscription_renews_at: datetime | None
    subscription_expires_at: datetime | None
    subscription_members_count: int | None
    parent_id: int | None
    current_user_membership_id: int | None
    tag_ids: list[int]


class Membership(msgspec.Struct, frozen=True):
    """A row of `memberships` as it is told."""

    id: int
    group_id: int | None
    user_id: int | None
    inviter_id: int | None
    volume: int | None
    admin: bool
    delegate: bool
    experiences: Any
    title: str | None
    created_at: datetime | None
    accepted_at: datetime | None
    user_email: str | None


class Tag(msgspec.Struct, frozen=True):
    """A row of `tags`."""

    id: int
    name: str
    color: str | None
    taggings_count: int | None
    org_taggings_count: int
    group_id: int | None
    priority: int


def full_name(group: Group) -> str | None:
    """The name, after that of the group it lies in."""
    if group.is_top:
        return group.name
    return " - ".join(name for name in (group.parent_name, group.name) if name is not None)


def privacy(group: Group) -> str:
    """`open` with its threads, `closed` where only it is seen from outside, `secret`."""
    if group.is_visible_to_public:
        return "open" if group.discussion_privacy_options == "public_only" else "closed"
    return "closed" if not group.is_top and group.is_visible_to_parent_members else "secret"
