# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with comments (facts: models/ability/comment.rb)."""

from __future__ import annotations

import pytest

from services.comments.model import CommentFacts
from services.comments.policy import POLICIES
from services.discussions.model import DiscussionFacts
from services.kernel.abilities import Ability
from tests.policytables import Tables, no, table, wrong_rows, yes

DISCARD = table(
    CommentFacts,
    no(),
    no("am_author"),
    no("discussion.am_group_member"),
    no("discussion.am_guest"),
    yes("am_author", "discussion.am_group_member"),
    yes("am_author", "discussion.am_guest"),
    yes("discussion.am_group_admin"),
    yes("discussion.am_admin"),
    no("discussion.am_admin", "discussion.is_closed"),
    no("am_author", "discussion.am_guest", "discussion.is_closed"),
)

TABLES: Tables = {
    Ability.COMMENT_CREATE: table(
        DiscussionFacts,
        no(),
        yes("am_group_member"),
        yes("am_guest"),
        no("am_group_member", "is_closed"),
        no("is_public"),
        no("hold_its_token"),
        no("is_open_to_me_as_parent_member"),
    ),
    Ability.COMMENT_DESTROY: table(
        CommentFacts,
        no(),
        yes("discussion.am_group_admin"),
        yes("discussion.am_admin"),
        no("discussion.am_admin", "has_replies"),
        no("discussion.am_admin", "discussion.is_closed"),
        no("am_author", "discussion.am_guest"),
        no("am_author", "discussion.members_can_delete_comments"),
        no("discussion.am_guest", "discussion.members_can_delete_comments"),
        yes("am_author", "discussion.am_guest", "discussion.members_can_delete_comments"),
        yes("am_author", "discussion.am_group_member", "discussion.members_can_delete_comments"),
    ),
    Ability.COMMENT_DISCARD: DISCARD,
    Ability.COMMENT_SHOW: table(
        CommentFacts,
        no(),
        no("discussion.is_kept"),
        yes("discussion.is_kept", "discussion.is_public"),
        no("discussion.is_kept", "discussion.is_public", "not is_kept"),
        no("discussion.is_kept", "discussion.is_public", "discussion.is_in_archived_group"),
        no("discussion.is_public"),
        yes("discussion.is_kept", "discussion.am_group_member"),
        yes("discussion.is_kept", "discussion.am_guest"),
        yes("discussion.is_kept", "discussion.is_open_to_me_as_parent_member"),
        yes("discussion.is_kept", "discussion.hold_its_token"),
        no("am_author", "discussion.is_kept"),
        given=("is_kept",),
    ),
    Ability.COMMENT_UNDISCARD: DISCARD,
    Ability.COMMENT_UPDATE: table(
        CommentFacts,
        no(),
        no("discussion.am_admin"),
        no("discussion.am_group_admin"),
        no("discussion.admins_can_edit_user_content"),
        yes("discussion.am_admin", "discussion.admins_can_edit_user_content"),
        yes("discussion.am_group_admin", "discussion.admins_can_edit_user_content"),
        no(
            "discussion.am_admin",
            "discussion.admins_can_edit_user_content",
            "discussion.is_closed",
        ),
        no("am_author", "discussion.am_guest"),
        no("am_author", "discussion.members_can_edit_comments"),
        no("discussion.am_guest", "discussion.members_can_edit_comments"),
        yes("am_author", "discussion.am_guest", "discussion.members_can_edit_comments"),
        yes("am_author", "discussion.am_group_member", "discussion.members_can_edit_comments"),
    ),
}


@pytest.mark.parametrize("ability", TABLES)
def test_each_situation_has_its_answer(ability: Ability) -> None:
    assert not wrong_rows(POLICIES[ability], TABLES[ability])
