# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is known of a thread, and of one person's place in it."""

from __future__ import annotations

import msgspec

from services.groups.model import GroupFacts


class DiscussionFacts(msgspec.Struct, frozen=True):
    """What decides what one actor may do with one thread, and with what has no more than its thread to go by.

    A thread without a group (a direct one) has the rights that Loomio gives it (models/concerns/null/group.rb):
    its members may do all that groups leave to members, its admins may not change what others said.
    """

    id: int
    is_saved: bool
    """It is there; one that is about to be made is not."""
    is_kept: bool
    is_closed: bool
    is_public: bool
    has_group: bool
    is_in_archived_group: bool
    admins_can_edit_user_content: bool
    members_can_add_guests: bool
    members_can_announce: bool
    members_can_delete_comments: bool
    members_can_edit_comments: bool
    members_can_edit_discussions: bool
    allows_guests: bool
    """Its organisation's subscription does."""
    am_signed_in: bool
    am_author: bool
    am_group_member: bool
    am_group_admin: bool
    am_guest: bool
    am_admin: bool
    """Of this thread; admins of its group need not be."""
    is_open_to_me_as_parent_member: bool
    hold_its_token: bool
    """A guest's token; of use to the signed-out alone."""


class NewDiscussionFacts(msgspec.Struct, frozen=True):
    """What decides whether one actor may start a thread."""

    am_verified: bool
    am_in_a_group: bool
    """In any that is not archived."""
    group: GroupFacts | None


class DiscussionReaderRow(msgspec.Struct, frozen=True):
    """What decides, with the thread, what one actor may do with one person's place in it."""

    id: int
    discussion_id: int
    is_mine: bool
    is_guest: bool
    is_accepted: bool
    is_revoked: bool


class DiscussionReaderFacts(msgspec.Struct, frozen=True):
    """What decides what one actor may do with one person's place in a thread."""

    id: int
    is_mine: bool
    is_guest: bool
    is_accepted: bool
    is_revoked: bool
    discussion: DiscussionFacts
