# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with threads (facts: models/ability/discussion.rb, discussion_reader.rb, event.rb, …)."""

from __future__ import annotations

import pytest

from services.discussions.model import DiscussionFacts, DiscussionReaderFacts, NewDiscussionFacts
from services.discussions.policy import POLICIES, can_show
from services.groups.model import GroupFacts
from services.kernel.abilities import Ability
from tests.policytables import Tables, no, table, wrong_rows, yes

SHOWN = (
    no(),
    yes("is_public"),
    yes("am_group_member"),
    yes("am_guest"),
    yes("is_open_to_me_as_parent_member"),
    yes("hold_its_token"),
    no("is_public", "is_in_archived_group"),
    no("am_group_member", "is_in_archived_group"),
    no("is_public", "not is_kept"),
    no("am_author"),
    no("am_admin"),
)
SHOW = table(DiscussionFacts, *SHOWN, given=("is_kept",))
MARK = table(DiscussionFacts, *SHOWN, no("is_public", "not am_signed_in"), given=("is_kept", "am_signed_in"))

TAKE_PART = table(
    DiscussionFacts,
    no(),
    yes("am_group_member"),
    yes("am_guest"),
    no("am_author"),
    no("hold_its_token"),
    no("is_open_to_me_as_parent_member"),
)

REVISED = (
    no(),
    yes("am_author"),
    yes("am_group_admin"),
    yes("am_admin"),
    no("am_group_member"),
    no("am_guest"),
)
REVISE = table(DiscussionFacts, *REVISED)
DISCARD = table(
    DiscussionFacts,
    *REVISED,
    no("am_author", "not is_kept"),
    no("am_group_member", "members_can_edit_discussions"),
    given=("is_kept",),
)
UPDATE = table(
    DiscussionFacts,
    *REVISED,
    no("am_author", "not is_kept"),
    no("members_can_edit_discussions"),
    yes("members_can_edit_discussions", "am_group_member"),
    yes("members_can_edit_discussions", "am_guest"),
    given=("is_kept",),
)

MANAGE = table(
    DiscussionReaderFacts,
    no("is_mine"),
    no("discussion.am_author"),
    yes("discussion.am_group_admin"),
    yes("discussion.am_admin"),
)

ADMINS = table(GroupFacts, no("am_member"), yes("am_admin"))

TABLES: Tables = {
    Ability.DISCUSSION_ADD_GUESTS: table(
        DiscussionFacts,
        # to a thread of a group
        no("has_group", "allows_guests", "is_saved"),
        yes("has_group", "allows_guests", "am_group_admin", "is_saved"),
        no("has_group", "am_group_admin", "is_saved"),
        no("has_group", "allows_guests", "am_admin", "is_saved"),
        no("has_group", "allows_guests", "am_group_member", "is_saved"),
        no("has_group", "allows_guests", "members_can_add_guests", "is_saved"),
        yes("has_group", "allows_guests", "members_can_add_guests", "am_group_member", "is_saved"),
        yes("has_group", "allows_guests", "members_can_add_guests", "am_guest", "is_saved"),
        # to a direct one
        no("is_saved"),
        yes(),
        yes("is_saved", "am_admin"),
        yes("is_saved", "am_group_admin"),
        no("is_saved", "am_guest", "members_can_add_guests", "allows_guests"),
    ),
    Ability.DISCUSSION_ADD_MEMBERS: TAKE_PART,
    Ability.DISCUSSION_ANNOUNCE: table(
        DiscussionFacts,
        no("has_group"),
        yes("has_group", "am_group_admin"),
        no("has_group", "am_admin"),
        no("has_group", "am_group_member"),
        no("has_group", "members_can_announce"),
        yes("has_group", "members_can_announce", "am_group_member"),
        yes("has_group", "members_can_announce", "am_guest"),
        no(),
        yes("am_admin"),
        yes("am_group_admin"),
        no("am_guest", "members_can_announce"),
    ),
    Ability.DISCUSSION_CREATE: table(
        NewDiscussionFacts,
        no(),
        yes("am_in_a_group"),
        no("am_in_a_group", "not am_verified"),
        no("group", "am_in_a_group"),
        yes("group.am_admin"),
        no("group.am_admin", "not am_verified"),
        no("group.am_member"),
        no("group.members_can_start_discussions"),
        yes("group.am_member", "group.members_can_start_discussions"),
        given=("am_verified",),
    ),
    Ability.DISCUSSION_DESTROY: DISCARD,
    Ability.DISCUSSION_DISCARD: DISCARD,
    Ability.DISCUSSION_DISMISS: SHOW,
    Ability.DISCUSSION_MARK_AS_READ: MARK,
    Ability.DISCUSSION_MARK_AS_SEEN: MARK,
    Ability.DISCUSSION_MOVE: UPDATE,
    Ability.DISCUSSION_MOVE_COMMENTS: UPDATE,
    Ability.DISCUSSION_PIN: UPDATE,
    Ability.DISCUSSION_PRINT: SHOW,
    Ability.DISCUSSION_REMOVE_EVENTS: REVISE,
    Ability.DISCUSSION_SET_VOLUME: TAKE_PART,
    Ability.DISCUSSION_SHOW: SHOW,
    Ability.DISCUSSION_SUBSCRIBE_TO: SHOW,
    Ability.DISCUSSION_UPDATE: UPDATE,
    Ability.DISCUSSION_UPDATE_VERSION: REVISE,
    Ability.DISCUSSION_READER_MAKE_ADMIN: MANAGE,
    Ability.DISCUSSION_READER_REDEEM: table(
        DiscussionReaderFacts,
        yes("is_guest"),
        no("is_mine"),
        no("is_guest", "is_accepted"),
        no("is_guest", "is_revoked"),
    ),
    Ability.DISCUSSION_READER_REMOVE: table(
        DiscussionReaderFacts,
        no("is_guest", "is_mine"),
        yes("is_guest", "discussion.am_group_admin"),
        yes("is_guest", "discussion.am_admin"),
        no("discussion.am_admin"),
    ),
    Ability.DISCUSSION_READER_REMOVE_ADMIN: MANAGE,
    Ability.DISCUSSION_READER_RESEND: MANAGE,
    Ability.DISCUSSION_READER_UPDATE: table(
        DiscussionReaderFacts, yes("is_mine"), no("discussion.am_group_admin")
    ),
    Ability.DISCUSSION_TEMPLATE_CREATE: ADMINS,
    Ability.DISCUSSION_TEMPLATE_UPDATE: ADMINS,
    Ability.EVENT_PIN: UPDATE,
    Ability.EVENT_UNPIN: UPDATE,
}


@pytest.mark.parametrize("ability", TABLES)
def test_each_situation_has_its_answer(ability: Ability) -> None:
    assert not wrong_rows(POLICIES[ability], TABLES[ability])


def test_nobody_sees_one_that_is_not_there() -> None:
    assert not can_show(None)
