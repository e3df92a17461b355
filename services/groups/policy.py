# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with a group, its memberships and requests, and what its admins look after. Pure."""

from __future__ import annotations

from services.groups.model import GroupFacts, MembershipFacts, MembershipRequestFacts, NewGroupFacts
from services.kernel.abilities import Ability, Policies, Policy


def can_show(group: GroupFacts) -> bool:
    """Whether the actor sees that the group is there, and its description."""
    return not group.is_archived and (
        group.is_visible_to_public
        or group.am_member
        or (group.is_visible_to_parent_members and group.am_parent_member)
        or group.hold_its_token
        or group.hold_an_invitation
    )


def can_see_private_content(group: GroupFacts) -> bool:
    """Whether they see what only insiders of a closed or secret group see."""
    is_open = group.is_visible_to_public and group.has_public_threads_only
    return not group.is_archived and (
        is_open or group.am_member or (group.is_visible_to_parent_members and group.am_parent_member)
    )


def can_administer(group: GroupFacts) -> bool:
    """What is left to admins, in archived groups too."""
    return group.am_admin


def can_administer_by_key(group: GroupFacts) -> bool:
    """Whether their programs look after its members: of groups that are not archived, or all of the site's."""
    return group.am_site_admin or (group.am_admin and not group.is_archived)


def can_take_part(group: GroupFacts) -> bool:
    """What members do as soon as their address is known to be theirs."""
    return group.am_verified and group.am_member


def can_move_discussions_to(group: GroupFacts) -> bool:
    """Whether threads of other groups may be brought here."""
    return group.am_verified and (group.am_admin or (group.members_can_start_discussions and group.am_member))


def can_add_guests(group: GroupFacts) -> bool:
    """Whether they may invite people to single threads and polls of the group."""
    return (
        group.am_verified
        and group.has_active_subscription
        and (group.am_admin or (group.members_can_add_guests and group.am_member))
    )


def can_add_members(group: GroupFacts) -> bool:
    """Whether they may invite people into the group, and let those in who ask."""
    return group.am_site_admin or group.am_admin or (group.members_can_add_members and group.am_member)


def can_notify(group: GroupFacts) -> bool:
    """Whether they may call on all members at once."""
    return group.am_admin or (group.members_can_announce and group.am_member)


def can_add_subgroup(group: GroupFacts) -> bool:
    """Whether the group may get a subgroup by them; a subgroup gets none."""
    return can_take_part(group) and group.is_top and (group.members_can_create_subgroups or group.am_admin)


def can_create(group: NewGroupFacts) -> bool:
    """Whether they may found it: a top group by the site's setting, a subgroup by its parent's."""
    if (parent := group.parent) is None:
        return (group.am_site_admin or group.is_open_to_all) and group.am_verified
    return parent.am_admin or (parent.am_member and parent.members_can_create_subgroups)


def can_join(group: GroupFacts) -> bool:
    """Whether they become a member by asking; admins of the parent always do."""
    return can_show(group) and group.am_verified and (group.is_joined_upon_request or group.am_parent_admin)


def can_rearrange(group: GroupFacts) -> bool:
    """What is left to those who look after the whole site."""
    return group.am_site_admin


def can_show_membership(membership: MembershipFacts) -> bool:
    """Whether they see this membership by itself."""
    return membership.is_mine or membership.am_group_admin or membership.am_inviter


def can_update_membership(membership: MembershipFacts) -> bool:
    """Whether they may change title and volume."""
    return membership.is_mine or membership.am_group_admin


def can_make_admin(membership: MembershipFacts) -> bool:
    """Whether they may make this member an admin: admins anybody; oneself where there is none, or from the parent."""
    orphaned = membership.am_group_member and not membership.has_group_admins
    return membership.am_group_admin or (membership.is_mine and (orphaned or membership.am_parent_admin))


def can_change_delegates(membership: MembershipFacts) -> bool:
    """Whether they say who is a delegate."""
    return membership.am_group_admin


def can_resend(membership: MembershipFacts) -> bool:
    """Whether they may mail the invitation again."""
    return not membership.is_accepted and membership.am_group_admin


def can_revoke(membership: MembershipFacts) -> bool:
    """Whether they may end it, or take away its rights: whoever invited somebody only until that is accepted."""
    return (
        membership.am_site_admin
        or membership.is_mine
        or membership.am_group_admin
        or (membership.am_inviter and not membership.is_accepted)
    )


def can_request_membership(group: GroupFacts) -> bool:
    """Whether they may ask to be let in."""
    return can_show(group) and group.is_joined_upon_approval


def can_cancel_request(request: MembershipRequestFacts) -> bool:
    """Whether they may take the request back."""
    return request.is_mine


def can_answer_request(request: MembershipRequestFacts) -> bool:
    """Whether they see the request, and let in or turn away who asks."""
    group = request.group
    return group.am_admin or (group.am_member and group.members_can_add_members)


def can_change_tags(group: GroupFacts) -> bool:
    """Whether they look after the tags of this group's organisation: admins of its top group."""
    return group.am_admin if group.is_top else group.am_parent_admin


def can_show_email(group: GroupFacts) -> bool:
    """Whether they see mails that came in for this group."""
    return group.am_admin and not group.is_archived


_ADMINS = Policy(GroupFacts, can_administer)
_INVITING = Policy(GroupFacts, can_add_members)
_PARTICIPANTS = Policy(GroupFacts, can_take_part)
_INSIDERS = Policy(GroupFacts, can_see_private_content)
_SITE_ADMINS = Policy(GroupFacts, can_rearrange)
_REVOKING = Policy(MembershipFacts, can_revoke)
_ANSWERING = Policy(MembershipRequestFacts, can_answer_request)
_TAGS = Policy(GroupFacts, can_change_tags)

POLICIES = Policies(
    {
        Ability.CHATBOT_CREATE: _ADMINS,
        Ability.CHATBOT_DESTROY: _ADMINS,
        Ability.CHATBOT_TEST: _ADMINS,
        Ability.CHATBOT_UPDATE: _ADMINS,
        Ability.GROUP_ADD_GUESTS: Policy(GroupFacts, can_add_guests),
        Ability.GROUP_ADD_MEMBERS: _INVITING,
        Ability.GROUP_ADD_SUBGROUP: Policy(GroupFacts, can_add_subgroup),
        Ability.GROUP_ANNOUNCE: _INVITING,
        Ability.GROUP_ARCHIVE: _ADMINS,
        Ability.GROUP_CREATE: Policy(NewGroupFacts, can_create),
        Ability.GROUP_DESTROY: _ADMINS,
        Ability.GROUP_EMAIL_MEMBERS: _ADMINS,
        Ability.GROUP_EXPORT: _ADMINS,
        Ability.GROUP_INVITE_PEOPLE: _INVITING,
        Ability.GROUP_JOIN: Policy(GroupFacts, can_join),
        Ability.GROUP_MANAGE_MEMBERSHIP_REQUESTS: _INVITING,
        Ability.GROUP_MEMBERS_AUTOCOMPLETE: _PARTICIPANTS,
        Ability.GROUP_MERGE: _SITE_ADMINS,
        Ability.GROUP_MOVE: _SITE_ADMINS,
        Ability.GROUP_MOVE_DISCUSSIONS_TO: Policy(GroupFacts, can_move_discussions_to),
        Ability.GROUP_NOTIFY: Policy(GroupFacts, can_notify),
        Ability.GROUP_PUBLISH: _ADMINS,
        Ability.GROUP_SEE_PRIVATE_CONTENT: _INSIDERS,
        Ability.GROUP_SET_VOLUME: _PARTICIPANTS,
        Ability.GROUP_SHOW: Policy(GroupFacts, can_show),
        Ability.GROUP_SHOW_CHATBOTS: _PARTICIPANTS,
        Ability.GROUP_SUBSCRIBE_TO: _INSIDERS,
        Ability.GROUP_UPDATE: _ADMINS,
        Ability.GROUP_VIEW_PENDING_INVITATIONS: _ADMINS,
        Ability.MEMBERSHIP_DESTROY: _REVOKING,
        Ability.MEMBERSHIP_MAKE_ADMIN: Policy(MembershipFacts, can_make_admin),
        Ability.MEMBERSHIP_MAKE_DELEGATE: Policy(MembershipFacts, can_change_delegates),
        Ability.MEMBERSHIP_REMOVE_ADMIN: _REVOKING,
        Ability.MEMBERSHIP_REMOVE_DELEGATE: Policy(MembershipFacts, can_change_delegates),
        Ability.MEMBERSHIP_RESEND: Policy(MembershipFacts, can_resend),
        Ability.MEMBERSHIP_REVOKE: _REVOKING,
        Ability.MEMBERSHIP_SHOW: Policy(MembershipFacts, can_show_membership),
        Ability.MEMBERSHIP_UPDATE: Policy(MembershipFacts, can_update_membership),
        Ability.MEMBERSHIP_REQUEST_APPROVE: _ANSWERING,
        Ability.MEMBERSHIP_REQUEST_CANCEL: Policy(MembershipRequestFacts, can_cancel_request),
        Ability.MEMBERSHIP_REQUEST_CREATE: Policy(GroupFacts, can_request_membership),
        Ability.MEMBERSHIP_REQUEST_IGNORE: _ANSWERING,
        Ability.MEMBERSHIP_REQUEST_SHOW: _ANSWERING,
        Ability.RECEIVED_EMAIL_SHOW: Policy(GroupFacts, can_show_email),
        Ability.TAG_CREATE: _TAGS,
        Ability.TAG_DESTROY: _TAGS,
        Ability.TAG_SHOW: Policy(GroupFacts, can_show),
        Ability.TAG_UPDATE: _TAGS,
    }
)
