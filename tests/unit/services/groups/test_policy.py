# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with groups and what belongs to them (facts: models/ability/group.rb, membership.rb, …)."""

from __future__ import annotations

import pytest

from services.groups.model import GroupFacts, MembershipFacts, MembershipRequestFacts, NewGroupFacts
from services.groups.policy import POLICIES, can_administer_by_key
from services.kernel.abilities import Ability, Policy
from tests.policytables import Tables, no, table, unproven, wrong_rows, yes

ADMINS = table(GroupFacts, no(), no("am_member"), yes("am_admin"))

PARTICIPANTS = table(
    GroupFacts,
    no("am_member"),
    no("am_verified"),
    yes("am_member", "am_verified"),
    no("am_admin", "am_verified"),
)

INVITING = table(
    GroupFacts,
    no(),
    yes("am_site_admin"),
    yes("am_admin"),
    no("am_member"),
    no("members_can_add_members"),
    yes("am_member", "members_can_add_members"),
)

SHOW = table(
    GroupFacts,
    no(),
    yes("is_visible_to_public"),
    yes("am_member"),
    yes("hold_its_token"),
    yes("hold_an_invitation"),
    yes("is_visible_to_parent_members", "am_parent_member"),
    no("is_visible_to_parent_members"),
    no("am_parent_member"),
    no("is_visible_to_public", "is_archived"),
    no("am_member", "is_archived"),
)

INSIDERS = table(
    GroupFacts,
    no("is_visible_to_public"),
    no("has_public_threads_only"),
    yes("is_visible_to_public", "has_public_threads_only"),
    yes("am_member"),
    no("am_member", "is_archived"),
    no("am_parent_member"),
    no("is_visible_to_parent_members"),
    yes("am_parent_member", "is_visible_to_parent_members"),
    no("hold_its_token"),
    no("hold_an_invitation"),
)

SITE_ADMINS = table(GroupFacts, no("am_admin"), yes("am_site_admin"))

TAGS = table(
    GroupFacts,
    no("is_top"),
    yes("is_top", "am_admin"),
    no("is_top", "am_parent_admin"),
    no("am_admin"),
    yes("am_parent_admin"),
    no(),
)

REVOKING = table(
    MembershipFacts,
    no(),
    yes("am_site_admin"),
    yes("is_mine"),
    yes("am_group_admin"),
    yes("am_inviter"),
    no("am_inviter", "is_accepted"),
    no("am_parent_admin"),
)

DELEGATES = table(MembershipFacts, no("is_mine"), yes("am_group_admin"))

ANSWERING = table(
    MembershipRequestFacts,
    no(),
    no("is_mine"),
    yes("group.am_admin"),
    no("group.am_member"),
    no("group.members_can_add_members"),
    yes("group.am_member", "group.members_can_add_members"),
)

TABLES: Tables = {
    Ability.CHATBOT_CREATE: ADMINS,
    Ability.CHATBOT_DESTROY: ADMINS,
    Ability.CHATBOT_TEST: ADMINS,
    Ability.CHATBOT_UPDATE: ADMINS,
    Ability.GROUP_ADD_GUESTS: table(
        GroupFacts,
        no(),
        yes("am_admin"),
        no("am_admin", "not am_verified"),
        no("am_admin", "not has_active_subscription"),
        no("am_member"),
        no("members_can_add_guests"),
        yes("am_member", "members_can_add_guests"),
        given=("am_verified", "has_active_subscription"),
    ),
    Ability.GROUP_ADD_MEMBERS: INVITING,
    Ability.GROUP_ADD_SUBGROUP: table(
        GroupFacts,
        no(),
        no("am_admin"),
        yes("am_member", "am_admin"),
        no("am_member", "am_admin", "not is_top"),
        no("am_member", "am_admin", "not am_verified"),
        no("am_member"),
        no("members_can_create_subgroups"),
        yes("am_member", "members_can_create_subgroups"),
        given=("am_verified", "is_top"),
    ),
    Ability.GROUP_ANNOUNCE: INVITING,
    Ability.GROUP_ARCHIVE: ADMINS,
    Ability.GROUP_CREATE: table(
        NewGroupFacts,
        no(),
        no("is_open_to_all"),
        no("am_verified"),
        no("am_site_admin"),
        yes("is_open_to_all", "am_verified"),
        yes("am_site_admin", "am_verified"),
        no("is_open_to_all", "am_verified", "parent"),
        yes("parent.am_admin"),
        no("parent.am_member"),
        no("parent.members_can_create_subgroups"),
        yes("parent.am_member", "parent.members_can_create_subgroups"),
    ),
    Ability.GROUP_DESTROY: ADMINS,
    Ability.GROUP_EMAIL_MEMBERS: ADMINS,
    Ability.GROUP_EXPORT: ADMINS,
    Ability.GROUP_INVITE_PEOPLE: INVITING,
    Ability.GROUP_JOIN: table(
        GroupFacts,
        no(),
        yes("is_joined_upon_request"),
        no("is_joined_upon_approval"),
        no("is_joined_upon_request", "not am_verified"),
        no("is_joined_upon_request", "is_archived"),
        yes("am_parent_admin"),
        no("am_parent_admin", "not is_visible_to_public"),
        yes("am_parent_admin", "not is_visible_to_public", "am_member"),
        yes("am_parent_admin", "not is_visible_to_public", "hold_its_token"),
        yes("am_parent_admin", "not is_visible_to_public", "hold_an_invitation"),
        yes(
            "am_parent_admin", "not is_visible_to_public", "am_parent_member", "is_visible_to_parent_members"
        ),
        no("am_parent_admin", "not is_visible_to_public", "am_parent_member"),
        no("am_parent_admin", "not is_visible_to_public", "is_visible_to_parent_members"),
        given=("am_verified", "is_visible_to_public"),
    ),
    Ability.GROUP_MANAGE_MEMBERSHIP_REQUESTS: INVITING,
    Ability.GROUP_MEMBERS_AUTOCOMPLETE: PARTICIPANTS,
    Ability.GROUP_MERGE: SITE_ADMINS,
    Ability.GROUP_MOVE: SITE_ADMINS,
    Ability.GROUP_MOVE_DISCUSSIONS_TO: table(
        GroupFacts,
        no(),
        yes("am_admin"),
        no("am_admin", "not am_verified"),
        no("am_member"),
        no("members_can_start_discussions"),
        yes("am_member", "members_can_start_discussions"),
        given=("am_verified",),
    ),
    Ability.GROUP_NOTIFY: table(
        GroupFacts,
        no("am_site_admin"),
        yes("am_admin"),
        no("am_member"),
        no("members_can_announce"),
        yes("am_member", "members_can_announce"),
    ),
    Ability.GROUP_PUBLISH: ADMINS,
    Ability.GROUP_SEE_PRIVATE_CONTENT: INSIDERS,
    Ability.GROUP_SET_VOLUME: PARTICIPANTS,
    Ability.GROUP_SHOW: SHOW,
    Ability.GROUP_SHOW_CHATBOTS: PARTICIPANTS,
    Ability.GROUP_SUBSCRIBE_TO: INSIDERS,
    Ability.GROUP_UPDATE: ADMINS,
    Ability.GROUP_VIEW_PENDING_INVITATIONS: ADMINS,
    Ability.MEMBERSHIP_DESTROY: REVOKING,
    Ability.MEMBERSHIP_MAKE_ADMIN: table(
        MembershipFacts,
        no(),
        no("is_mine"),
        yes("am_group_admin"),
        no("am_parent_admin"),
        yes("is_mine", "am_parent_admin"),
        no("am_group_member"),
        yes("is_mine", "am_group_member"),
        no("is_mine", "am_group_member", "has_group_admins"),
    ),
    Ability.MEMBERSHIP_MAKE_DELEGATE: DELEGATES,
    Ability.MEMBERSHIP_REMOVE_ADMIN: REVOKING,
    Ability.MEMBERSHIP_REMOVE_DELEGATE: DELEGATES,
    Ability.MEMBERSHIP_RESEND: table(
        MembershipFacts, no("am_inviter"), yes("am_group_admin"), no("am_group_admin", "is_accepted")
    ),
    Ability.MEMBERSHIP_REVOKE: REVOKING,
    Ability.MEMBERSHIP_SHOW: table(
        MembershipFacts,
        no("am_site_admin"),
        yes("is_mine"),
        yes("am_group_admin"),
        yes("am_inviter", "is_accepted"),
    ),
    Ability.MEMBERSHIP_UPDATE: table(
        MembershipFacts, no("am_inviter"), yes("is_mine"), yes("am_group_admin")
    ),
    Ability.MEMBERSHIP_REQUEST_APPROVE: ANSWERING,
    Ability.MEMBERSHIP_REQUEST_CANCEL: table(MembershipRequestFacts, no("group.am_admin"), yes("is_mine")),
    Ability.MEMBERSHIP_REQUEST_CREATE: table(
        GroupFacts,
        no(),
        no("is_visible_to_public"),
        yes("is_visible_to_public", "is_joined_upon_approval"),
        no("is_visible_to_public", "is_joined_upon_request"),
        no("is_visible_to_public", "is_joined_upon_approval", "is_archived"),
        no("is_joined_upon_approval"),
        yes("is_joined_upon_approval", "am_member"),
        yes("is_joined_upon_approval", "hold_its_token"),
        yes("is_joined_upon_approval", "hold_an_invitation"),
        no("is_joined_upon_approval", "am_parent_member"),
        no("is_joined_upon_approval", "is_visible_to_parent_members"),
        yes("is_joined_upon_approval", "am_parent_member", "is_visible_to_parent_members"),
    ),
    Ability.MEMBERSHIP_REQUEST_IGNORE: ANSWERING,
    Ability.MEMBERSHIP_REQUEST_SHOW: ANSWERING,
    Ability.RECEIVED_EMAIL_SHOW: table(
        GroupFacts, no("am_member"), yes("am_admin"), no("am_admin", "is_archived")
    ),
    Ability.TAG_CREATE: TAGS,
    Ability.TAG_DESTROY: TAGS,
    Ability.TAG_SHOW: SHOW,
    Ability.TAG_UPDATE: TAGS,
}


@pytest.mark.parametrize("ability", TABLES)
def test_each_situation_has_its_answer(ability: Ability) -> None:
    assert not wrong_rows(POLICIES[ability], TABLES[ability])


def test_programs_look_after_members_where_their_owner_is_an_admin() -> None:
    policy = Policy(GroupFacts, can_administer_by_key)
    by_key = table(
        GroupFacts,
        no("am_member"),
        yes("am_admin"),
        no("am_admin", "is_archived"),
        yes("am_site_admin", "is_archived"),
    )
    assert not wrong_rows(policy, by_key)
    assert not unproven(policy, by_key)
