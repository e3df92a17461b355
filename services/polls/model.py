# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is known of a poll and what belongs to it."""

from __future__ import annotations

import msgspec

from services.discussions.model import DiscussionFacts
from services.groups.model import GroupFacts


class PollFacts(msgspec.Struct, frozen=True):
    """What decides what one actor may do with one poll, its outcomes and its options.

    Votes of mine that were revoked are none. A poll without a group has the rights that Loomio gives it
    (models/concerns/null/group.rb).
    """

    id: int
    is_kept: bool
    is_closed: bool
    is_closing_later: bool
    """It has a time at which it closes, and that is ahead."""
    anonymous: bool
    hides_results: bool
    """Until it is closed, or until one has voted."""
    specified_voters_only: bool
    has_group: bool
    is_public: bool
    """All threads of its group are."""
    is_in_closed_thread: bool
    members_can_add_guests: bool
    members_can_announce: bool
    members_can_edit_discussions: bool
    allows_guests: bool
    """Its organisation's subscription does."""
    am_author: bool
    am_group_member: bool
    have_been_group_member: bool
    """Now, or until the membership was revoked."""
    am_group_admin: bool
    am_guest_of_thread: bool
    am_admin_of_thread: bool
    """By the thread itself."""
    am_voter: bool
    """A latest vote is there for me, cast or not."""
    am_guest_voter: bool
    """That vote is a guest's."""
    am_admin_voter: bool
    """That vote is an admin's."""
    am_guest: bool
    """A guest's vote is there for me, be it an earlier one."""
    hold_its_token: bool
    """A guest's token; of use to the signed-out alone."""


class NewPollFacts(msgspec.Struct, frozen=True):
    """What decides whether one actor may start a poll; the group is the thread's, if there is a thread."""

    am_verified: bool
    has_template: bool
    is_template_public: bool
    is_template_of_my_group: bool
    """Of any of mine that is not archived."""
    discussion: DiscussionFacts | None
    group: GroupFacts | None


class PollPart(msgspec.Struct, frozen=True):
    """A vote or an outcome, and the poll it belongs to."""

    id: int
    poll_id: int | None


class StanceRow(msgspec.Struct, frozen=True):
    """What decides, with its poll, what one actor may do with a vote."""

    id: int
    poll_id: int
    is_mine: bool
    is_latest: bool
    is_cast: bool
    is_accepted: bool
    is_revoked: bool
    was_invited: bool


class StanceFacts(msgspec.Struct, frozen=True):
    """What decides what one actor may do with one vote."""

    id: int
    is_mine: bool
    is_latest: bool
    is_cast: bool
    is_accepted: bool
    is_revoked: bool
    was_invited: bool
    """Somebody asked for this vote."""
    poll: PollFacts
