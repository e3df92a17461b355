# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with a thread, its readers, its events and the templates of threads. Pure."""

from __future__ import annotations

from services.discussions.model import DiscussionFacts, DiscussionReaderFacts, NewDiscussionFacts
from services.groups import policy as groups
from services.groups.model import GroupFacts
from services.kernel.abilities import Ability, Policies, Policy


def is_member(discussion: DiscussionFacts) -> bool:
    """Whether the actor takes part: as a member of the group or as a guest."""
    return discussion.am_group_member or discussion.am_guest


def is_admin(discussion: DiscussionFacts) -> bool:
    """Whether the actor looks after the thread, by the group or by the thread itself."""
    return discussion.am_group_admin or discussion.am_admin


def can_show(discussion: DiscussionFacts | None) -> bool:
    """Whether the actor sees the thread (Loomio's queries/discussion_query.rb); nobody sees one that is not there."""
    if discussion is None or not discussion.is_kept or discussion.is_in_archived_group:
        return False
    return (
        discussion.is_public
        or is_member(discussion)
        or discussion.is_open_to_me_as_parent_member
        or discussion.hold_its_token
    )


def can_mark(discussion: DiscussionFacts) -> bool:
    """Whether it is kept for them what of it they have seen and read."""
    return discussion.am_signed_in and can_show(discussion)


def can_create(discussion: NewDiscussionFacts) -> bool:
    """Whether they may start it: a direct one whoever is in any group."""
    if not discussion.am_verified:
        return False
    if (group := discussion.group) is None:
        return discussion.am_in_a_group
    return group.am_admin or (group.members_can_start_discussions and group.am_member)


def can_take_part(discussion: DiscussionFacts) -> bool:
    """What every member of the thread may do: say how much mail it sends them, bring in members of the group."""
    return is_member(discussion)


def can_announce(discussion: DiscussionFacts) -> bool:
    """Whether they may call on others to look at it."""
    if not discussion.has_group:
        return is_admin(discussion)
    return discussion.am_group_admin or (discussion.members_can_announce and is_member(discussion))


def can_add_guests(discussion: DiscussionFacts) -> bool:
    """Whether they may invite people from outside; to a direct thread its admins, and whoever starts it."""
    if not discussion.has_group:
        return not discussion.is_saved or is_admin(discussion)
    return discussion.allows_guests and (
        discussion.am_group_admin or (discussion.members_can_add_guests and is_member(discussion))
    )


def can_update(discussion: DiscussionFacts) -> bool:
    """Whether they may change, move, close and pin it."""
    return discussion.is_kept and (
        can_revise(discussion) or (discussion.members_can_edit_discussions and is_member(discussion))
    )


def can_discard(discussion: DiscussionFacts) -> bool:
    """Whether they may take it away."""
    return discussion.is_kept and can_revise(discussion)


def can_revise(discussion: DiscussionFacts) -> bool:
    """What is left to authors and admins, even of a thread that was discarded."""
    return discussion.am_author or is_admin(discussion)


def can_update_reader(reader: DiscussionReaderFacts) -> bool:
    """Whether they may change what is kept of somebody's reading: of their own."""
    return reader.is_mine


def can_redeem_reader(reader: DiscussionReaderFacts) -> bool:
    """Whether a guest's invitation still can be accepted."""
    return reader.is_guest and not reader.is_accepted and not reader.is_revoked


def can_manage_reader(reader: DiscussionReaderFacts) -> bool:
    """Whether they say who is an admin of the thread, and mail invitations again."""
    return is_admin(reader.discussion)


def can_remove_reader(reader: DiscussionReaderFacts) -> bool:
    """Whether they may show a guest out; members go by the group."""
    return reader.is_guest and is_admin(reader.discussion)


_SHOWING = Policy(DiscussionFacts, can_show)
_MARKING = Policy(DiscussionFacts, can_mark)
_TAKING_PART = Policy(DiscussionFacts, can_take_part)
_UPDATING = Policy(DiscussionFacts, can_update)
_DISCARDING = Policy(DiscussionFacts, can_discard)
_REVISING = Policy(DiscussionFacts, can_revise)
_MANAGING = Policy(DiscussionReaderFacts, can_manage_reader)
_ADMINS = Policy(GroupFacts, groups.can_administer)

POLICIES = Policies(
    {
        Ability.DISCUSSION_ADD_GUESTS: Policy(DiscussionFacts, can_add_guests),
        Ability.DISCUSSION_ADD_MEMBERS: _TAKING_PART,
        Ability.DISCUSSION_ANNOUNCE: Policy(DiscussionFacts, can_announce),
        Ability.DISCUSSION_CREATE: Policy(NewDiscussionFacts, can_create),
        Ability.DISCUSSION_DESTROY: _DISCARDING,
        Ability.DISCUSSION_DISCARD: _DISCARDING,
        Ability.DISCUSSION_DISMISS: _SHOWING,
        Ability.DISCUSSION_MARK_AS_READ: _MARKING,
        Ability.DISCUSSION_MARK_AS_SEEN: _MARKING,
        Ability.DISCUSSION_MOVE: _UPDATING,
        Ability.DISCUSSION_MOVE_COMMENTS: _UPDATING,
        Ability.DISCUSSION_PIN: _UPDATING,
        Ability.DISCUSSION_PRINT: _SHOWING,
        Ability.DISCUSSION_REMOVE_EVENTS: _REVISING,
        Ability.DISCUSSION_SET_VOLUME: _TAKING_PART,
        Ability.DISCUSSION_SHOW: _SHOWING,
        Ability.DISCUSSION_SUBSCRIBE_TO: _SHOWING,
        Ability.DISCUSSION_UPDATE: _UPDATING,
        Ability.DISCUSSION_UPDATE_VERSION: _REVISING,
        Ability.DISCUSSION_READER_MAKE_ADMIN: _MANAGING,
        Ability.DISCUSSION_READER_REDEEM: Policy(DiscussionReaderFacts, can_redeem_reader),
        Ability.DISCUSSION_READER_REMOVE: Policy(DiscussionReaderFacts, can_remove_reader),
        Ability.DISCUSSION_READER_REMOVE_ADMIN: _MANAGING,
        Ability.DISCUSSION_READER_RESEND: _MANAGING,
        Ability.DISCUSSION_READER_UPDATE: Policy(DiscussionReaderFacts, can_update_reader),
        Ability.DISCUSSION_TEMPLATE_CREATE: _ADMINS,
        Ability.DISCUSSION_TEMPLATE_UPDATE: _ADMINS,
        Ability.EVENT_PIN: _UPDATING,
        Ability.EVENT_UNPIN: _UPDATING,
    }
)
