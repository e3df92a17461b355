# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with a poll, its votes, outcomes and options, and the templates of polls. Pure."""

from __future__ import annotations

from services.discussions import policy as discussions
from services.groups import policy as groups
from services.groups.model import GroupFacts
from services.kernel.abilities import Ability, Policies, Policy
from services.polls.model import NewPollFacts, PollFacts, StanceFacts


def is_active(poll: PollFacts) -> bool:
    """Whether votes are taken: not discarded, with a time to close that is ahead, and not closed before it."""
    return poll.is_kept and poll.is_closing_later and not poll.is_closed


def is_member(poll: PollFacts) -> bool:
    """Whether the actor takes part: in the group, as a guest of the thread, or as a guest of the poll."""
    return poll.am_group_member or poll.am_guest_of_thread or poll.am_guest_voter


def is_admin(poll: PollFacts) -> bool:
    """Whether the actor looks after the poll (Loomio's models/poll.rb).

    Admins of the group do. Others need a right (to be the author, an admin of the thread, or of the poll) and a
    place: guests by where they are guests; everybody else by a membership of the group, which for these rights
    may have been revoked, and which an author needs only where there is a group.
    """
    has_place = poll.have_been_group_member or poll.am_guest_of_thread
    return (
        poll.am_group_admin
        or (poll.am_author and (not poll.has_group or has_place))
        or (poll.am_admin_of_thread and has_place)
        or (poll.am_admin_voter and (poll.have_been_group_member or poll.am_guest_voter))
    )


def can_show(poll: PollFacts | None) -> bool:
    """Whether the actor sees the poll, its votes and its outcomes; nobody sees one that is not there."""
    return (
        poll is not None
        and poll.is_kept
        and (
            poll.am_author
            or poll.is_public
            or poll.am_group_member
            or poll.am_guest_of_thread
            or poll.am_guest
            or poll.hold_its_token
        )
    )


def can_export(poll: PollFacts) -> bool:
    """Whether they may take the results away with them; who hides results until a vote hides them here."""
    return can_show(poll) and (poll.is_closed or not poll.hides_results)


def can_create(poll: NewPollFacts) -> bool:
    """Whether they may start it: in a group by its setting, in a direct thread its members, else the verified."""
    thread, group = poll.discussion, poll.group
    if poll.has_template and not (poll.is_template_public or poll.is_template_of_my_group):
        return False
    if thread is not None and thread.is_closed:
        return False
    if group is not None:
        takes_part = group.am_member or (thread is not None and thread.am_guest)
        return group.am_admin or (group.members_can_raise_motions and takes_part)
    return poll.am_verified if thread is None else discussions.is_member(thread)


def can_vote(poll: PollFacts) -> bool:
    """Whether they may vote: who has a vote, and who takes part where not only those vote who were named."""
    return is_active(poll) and (poll.am_voter or (not poll.specified_voters_only and is_member(poll)))


def can_announce(poll: PollFacts) -> bool:
    """Whether they may call on others to vote, and remind them."""
    if not poll.has_group:
        return is_admin(poll) or (not poll.specified_voters_only and is_member(poll))
    return poll.am_group_admin or (poll.members_can_announce and is_admin(poll))


def can_add_voters(poll: PollFacts) -> bool:
    """Whether they may give people of the group a vote."""
    return is_admin(poll)


def can_add_guests(poll: PollFacts) -> bool:
    """Whether they may give people from outside a vote."""
    if not poll.has_group:
        return is_admin(poll)
    return poll.allows_guests and (poll.am_group_admin or (poll.members_can_add_guests and is_admin(poll)))


def can_update(poll: PollFacts) -> bool:
    """Whether they may change it: not after its end, nor after its thread's."""
    return not poll.is_closed and can_destroy(poll)


def can_destroy(poll: PollFacts) -> bool:
    """Whether they may take it away."""
    return not poll.is_in_closed_thread and is_admin(poll)


def can_close(poll: PollFacts) -> bool:
    """Whether they may end it before its time."""
    return is_active(poll) and is_admin(poll)


def can_reopen(poll: PollFacts) -> bool:
    """Whether they may go on with it; an anonymous one has forgotten who voted what."""
    return poll.is_closed and not poll.anonymous and can_destroy(poll)


def can_state_outcome(poll: PollFacts) -> bool:
    """Whether they may say what came of it, and change that, as soon as no votes are taken."""
    return not is_active(poll) and (is_admin(poll) or (poll.members_can_edit_discussions and is_member(poll)))


def can_announce_outcome(poll: PollFacts) -> bool:
    """Whether they may call on others to look at what came of it."""
    return not is_active(poll) and can_announce(poll)


def can_add_members_to_outcome(poll: PollFacts) -> bool:
    """Whether they may let people of the group know what came of it."""
    return not is_active(poll) and can_add_voters(poll)


def can_add_guests_to_outcome(poll: PollFacts) -> bool:
    """Whether they may let people from outside know what came of it."""
    return not is_active(poll) and can_add_guests(poll)


def can_show_stance(stance: StanceFacts) -> bool:
    """Whether they see that the vote is there; what of it they see is another question."""
    return can_show(stance.poll)


def can_update_stance(stance: StanceFacts) -> bool:
    """Whether they may cast and change it: their own latest."""
    return stance.is_mine and stance.is_latest and can_vote(stance.poll)


def can_uncast_stance(stance: StanceFacts) -> bool:
    """Whether they may take back what they have cast."""
    return stance.is_cast and can_update_stance(stance)


def can_redeem_stance(stance: StanceFacts) -> bool:
    """Whether an invitation to vote still can be accepted."""
    is_done = stance.is_cast or stance.is_accepted or stance.is_revoked
    return stance.is_latest and stance.was_invited and not is_done


def can_manage_stance(stance: StanceFacts) -> bool:
    """Whether they say who votes, and which voters look after the poll."""
    return is_admin(stance.poll)


_SHOWING = Policy(PollFacts, can_show)
_ANNOUNCING = Policy(PollFacts, can_announce)
_ADDING_VOTERS = Policy(PollFacts, can_add_voters)
_STATING = Policy(PollFacts, can_state_outcome)
_MANAGING = Policy(StanceFacts, can_manage_stance)
_ADMINS = Policy(GroupFacts, groups.can_administer)

POLICIES = Policies(
    {
        Ability.OUTCOME_ADD_GUESTS: Policy(PollFacts, can_add_guests_to_outcome),
        Ability.OUTCOME_ADD_MEMBERS: Policy(PollFacts, can_add_members_to_outcome),
        Ability.OUTCOME_ANNOUNCE: Policy(PollFacts, can_announce_outcome),
        Ability.OUTCOME_CREATE: _STATING,
        Ability.OUTCOME_SHOW: _SHOWING,
        Ability.OUTCOME_UPDATE: _STATING,
        Ability.POLL_ADD_GUESTS: Policy(PollFacts, can_add_guests),
        Ability.POLL_ADD_MEMBERS: _ADDING_VOTERS,
        Ability.POLL_ADD_VOTERS: _ADDING_VOTERS,
        Ability.POLL_ANNOUNCE: _ANNOUNCING,
        Ability.POLL_CLOSE: Policy(PollFacts, can_close),
        Ability.POLL_CREATE: Policy(NewPollFacts, can_create),
        Ability.POLL_DESTROY: Policy(PollFacts, can_destroy),
        Ability.POLL_EXPORT: Policy(PollFacts, can_export),
        Ability.POLL_REMIND: _ANNOUNCING,
        Ability.POLL_REOPEN: Policy(PollFacts, can_reopen),
        Ability.POLL_SHOW: _SHOWING,
        Ability.POLL_UPDATE: Policy(PollFacts, can_update),
        Ability.POLL_VOTE_IN: Policy(PollFacts, can_vote),
        Ability.POLL_OPTION_SHOW: _SHOWING,
        Ability.POLL_TEMPLATE_CREATE: _ADMINS,
        Ability.POLL_TEMPLATE_UPDATE: _ADMINS,
        Ability.STANCE_CREATE: Policy(PollFacts, can_vote),
        Ability.STANCE_MAKE_ADMIN: _MANAGING,
        Ability.STANCE_REDEEM: Policy(StanceFacts, can_redeem_stance),
        Ability.STANCE_REMOVE: _MANAGING,
        Ability.STANCE_REMOVE_ADMIN: _MANAGING,
        Ability.STANCE_RESEND: _MANAGING,
        Ability.STANCE_SHOW: Policy(StanceFacts, can_show_stance),
        Ability.STANCE_UNCAST: Policy(StanceFacts, can_uncast_stance),
        Ability.STANCE_UPDATE: Policy(StanceFacts, can_update_stance),
    }
)
