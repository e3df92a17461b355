# SPDX-License-Identifier: AGPL-3.0-or-later
"""How groups, memberships and tags are told (Loomio's GroupSerializer, MembershipSerializer, TagSerializer)."""

from __future__ import annotations

from typing import Any

from services.groups.model import Group, Membership, full_name, privacy
from services.kernel.clock import rails_time
from services.kernel.files import Blob
from services.kernel.sideload import Edge, Edges, Field, Scope, Shape, fields
from services.users.model import VOLUMES

LOGO_PIXELS = 512
COVER_QUALITY = 85

STOCK_COVERS = frozenset(f"cover{number}.jpg" for number in range(1, 15))
"""The pictures that groups are given when they are founded (its services/group_service.rb:2)."""

ACTIVE_STATES = ("active", "on_hold", "pending")
"""Of subscriptions (its models/subscription.rb:7)."""


def _picture(file: Any, scope: Scope, *size: int) -> str | None:
    if file is None:
        return None
    key, filename, content_type = file
    return scope.files.image(Blob(key, filename, content_type), *size)


def _logo_url(group: Group, scope: Scope) -> str | None:
    own = _picture(group.logo, scope, LOGO_PIXELS)
    return own or _picture(group.parent_logo, scope, LOGO_PIXELS)


def _cover_url(group: Group, scope: Scope) -> str | None:
    size = (4 * LOGO_PIXELS, LOGO_PIXELS, COVER_QUALITY)
    return _picture(group.cover, scope, *size) or _picture(group.parent_cover, scope, *size)


def _has_custom_cover(group: Group, _scope: Scope) -> bool:
    return group.cover is None or group.cover[1] not in STOCK_COVERS


def _subscription(group: Group, scope: Scope) -> dict[str, Any]:
    """That of the group itself; a new one where there is none."""
    if not group.has_subscription:
        return _told_subscription(True, "free", "active", True)
    ends = group.subscription_expires_at
    return _told_subscription(
        bool(group.subscription_allow_subgroups),
        group.subscription_plan,
        group.subscription_state,
        group.subscription_state in ACTIVE_STATES and (ends is None or ends > scope.now),
        max_members=group.subscription_max_members,
        max_threads=group.subscription_max_threads,
        renews_at=group.subscription_renews_at and rails_time(group.subscription_renews_at),
        expires_at=ends and rails_time(ends),
        members_count=group.subscription_members_count,
    )


def _told_subscription(
    allow_subgroups: bool, plan: str | None, state: str | None, active: bool, **more: Any
) -> dict[str, Any]:
    return {
        "max_members": more.get("max_members"),
        "max_threads": more.get("max_threads"),
        "allow_subgroups": allow_subgroups,
        "plan": plan,
        "state": state,
        "active": active,
        "renews_at": more.get("renews_at"),
        "expires_at": more.get("expires_at"),
        "members_count": more.get("members_count"),
    }


def _is_top(group: Group, _scope: Scope) -> bool:
    return group.is_top


def _tells_tags(group: Group, _scope: Scope) -> bool:
    return privacy(group) == "open" or group.current_user_membership_id is not None


GROUP = Shape(
    root="groups",
    fields=(
        *fields("id", "key", "handle", "name"),
        Field("full_name", lambda group, _scope: full_name(group)),
        *fields("content_locale", "description", "description_format"),
        Field("logo_url", _logo_url),
        *fields(
            "created_at",
            "creator_id",
            "members_can_add_members",
            "members_can_add_guests",
            "members_can_announce",
            "members_can_create_subgroups",
            "members_can_start_discussions",
            "members_can_edit_discussions",
            "members_can_edit_comments",
            "members_can_delete_comments",
            "members_can_raise_motions",
            "admins_can_edit_user_content",
            "polls_count",
            "poll_templates_count",
            "closed_polls_count",
            "discussions_count",
            "public_discussions_count",
        ),
        Field("group_privacy", lambda group, _scope: privacy(group)),
        *fields("listed_in_explore", "memberships_count", "delegates_count", "pending_memberships_count"),
        Field(
            "accepted_memberships_count",
            lambda group, _scope: group.memberships_count - group.pending_memberships_count,
        ),
        *fields(
            "membership_granted_upon",
            "discussion_privacy_options",
            "admin_memberships_count",
            "archived_at",
            "attachments",
            "link_previews",
            "new_threads_max_depth",
            "new_threads_newest_first",
        ),
        Field("has_custom_cover_photo", _has_custom_cover),
        Field("cover_url", _cover_url),
        *fields(
            "open_discussions_count",
            "closed_discussions_count",
            "discussion_templates_count",
            "recent_activity_count",
            "is_visible_to_public",
            "is_visible_to_parent_members",
            "parent_members_can_see_discussions",
        ),
        Field("org_discussions_count", lambda group, _scope: group.org_discussions_count, when=_is_top),
        Field("org_members_count", lambda group, _scope: group.org_members_count, when=_is_top),
        Field("subscription", _subscription),
        *fields("subgroups_count"),
        Field("new_host", lambda group, _scope: group.info.get("new_host") or None),
        Field(
            "categorize_poll_templates",
            lambda group, _scope: group.info.get("categorize_poll_templates", True),
        ),
        *fields("category", "request_to_join_prompt", "can_start_polls_without_discussion"),
    ),
    edges=(
        Edge("parent_id", "parent_group", unless=("parent",)),
        Edge("current_user_membership_id", "membership", unless=("membership",)),
        Edges("tag_ids", "tag", unless=("tag",), when=_tells_tags),
    ),
)


def _volume(membership: Membership, _scope: Scope) -> str | None:
    return None if membership.volume is None else VOLUMES[membership.volume]


def _am_inviter(membership: Membership, scope: Scope) -> bool:
    """Nobody counts as who invited those that nobody invited, where nobody asks."""
    return membership.inviter_id == scope.actor_id


MEMBERSHIP = Shape(
    root="memberships",
    fields=(
        *fields("id", "group_id", "user_id", "inviter_id"),
        Field("volume", _volume),
        *fields("admin", "delegate", "experiences", "title", "created_at", "accepted_at"),
        Field("user_email", lambda membership, _scope: membership.user_email, when=_am_inviter),
    ),
    edges=(
        Edge("group_id", "group", unless=("group",)),
        Edge("user_id", "user", unless=("user",)),
        Edge("inviter_id", "author", unless=("user", "inviter")),
    ),
)

TAG = Shape(
    "tags", fields("id", "name", "color", "taggings_count", "org_taggings_count", "group_id", "priority")
)
