# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with polls, votes and outcomes (facts: models/ability/poll.rb, stance.rb, outcome.rb, …)."""

from __future__ import annotations

import pytest

from services.groups.model import GroupFacts
from services.kernel.abilities import Ability
from services.polls.model import NewPollFacts, PollFacts, StanceFacts
from services.polls.policy import POLICIES, can_show
from tests.policytables import Tables, also, no, table, within, wrong_rows, yes

ACTIVE = ("is_kept", "is_closing_later")

ADMINS = (
    # of a poll outside of groups
    no(),
    no("am_voter"),
    yes("am_author"),
    no("am_admin_of_thread"),
    yes("am_admin_of_thread", "am_guest_of_thread"),
    no("am_guest_of_thread"),
    no("am_admin_voter"),
    yes("am_admin_voter", "am_guest_voter"),
    no("am_guest_voter"),
    # of one in a group
    no("has_group", "am_group_member"),
    yes("has_group", "am_group_admin"),
    no("has_group", "am_author"),
    yes("has_group", "am_author", "have_been_group_member"),
    yes("has_group", "am_author", "am_guest_of_thread"),
    no("has_group", "am_author", "am_guest_voter"),
    no("has_group", "have_been_group_member"),
    no("has_group", "am_admin_of_thread"),
    yes("has_group", "am_admin_of_thread", "have_been_group_member"),
    yes("has_group", "am_admin_of_thread", "am_guest_of_thread"),
    no("has_group", "am_admin_voter"),
    yes("has_group", "am_admin_voter", "have_been_group_member"),
    yes("has_group", "am_admin_voter", "am_guest_voter"),
)

MEMBERS = (
    no(),
    yes("am_group_member"),
    yes("am_guest_of_thread"),
    yes("am_guest_voter"),
    no("am_guest"),
    no("hold_its_token"),
)


SHOWN = (
    no(),
    yes("am_author"),
    yes("is_public"),
    yes("am_group_member"),
    yes("am_guest_of_thread"),
    yes("am_guest"),
    yes("hold_its_token"),
    no("am_author", "not is_kept"),
    no("have_been_group_member"),
    no("am_voter"),
)
SHOW = table(PollFacts, *SHOWN, given=("is_kept",))

VOTE = table(
    PollFacts,
    *MEMBERS,
    no("am_group_member", "specified_voters_only"),
    yes("am_voter"),
    yes("am_voter", "specified_voters_only"),
    no("am_voter", "is_closed"),
    no("am_voter", "not is_kept"),
    no("am_voter", "not is_closing_later"),
    no("am_author", "specified_voters_only"),
    given=ACTIVE,
)

ANNOUNCED = (
    no("has_group", "members_can_announce"),
    yes("has_group", "am_group_admin"),
    no("has_group", "am_author", "have_been_group_member"),
    yes("has_group", "members_can_announce", "am_author", "have_been_group_member"),
    yes("has_group", "members_can_announce", "am_author", "am_guest_of_thread"),
    no("has_group", "members_can_announce", "am_author"),
    no("has_group", "members_can_announce", "have_been_group_member"),
    no("has_group", "members_can_announce", "am_group_member"),
    yes("has_group", "members_can_announce", "am_admin_of_thread", "am_guest_of_thread"),
    no("has_group", "members_can_announce", "am_admin_of_thread"),
    yes("has_group", "members_can_announce", "am_admin_voter", "am_guest_voter"),
    no("has_group", "members_can_announce", "am_admin_voter"),
    no("has_group", "members_can_announce", "am_guest_voter"),
    no("am_admin_of_thread"),
    no("am_admin_voter"),
    yes("am_author"),
    yes("am_author", "specified_voters_only"),
    yes("am_admin_of_thread", "am_guest_of_thread", "specified_voters_only"),
    no("am_group_member", "specified_voters_only"),
    *MEMBERS,
)
ANNOUNCE = table(PollFacts, *ANNOUNCED)

GUESTS_ADDED = (
    *(row for row in ADMINS if "has_group" not in row.told),
    yes("has_group", "allows_guests", "am_group_admin"),
    no("has_group", "am_group_admin"),
    no("has_group", "allows_guests", "am_author", "have_been_group_member"),
    no("has_group", "allows_guests", "members_can_add_guests"),
    *also(tuple(row for row in ADMINS if "has_group" in row.told), "allows_guests", "members_can_add_guests"),
)

MANAGE = table(
    StanceFacts,
    *within("poll", ADMINS),
    no("is_mine"),
)

DESTROYED = (*ADMINS, no("am_author", "is_in_closed_thread"))

OVER = (
    no("am_author", *ACTIVE),
    yes("am_author", *ACTIVE, "is_closed"),
    yes("am_author", "is_kept"),
    yes("am_author", "is_closing_later"),
)
"""What came of a poll is told as soon as it is not active."""

STATE = table(
    PollFacts,
    *ADMINS,
    *also(MEMBERS, "members_can_edit_discussions"),
    no("am_group_member"),
    *OVER,
)

TEMPLATE = table(GroupFacts, no("am_member"), yes("am_admin"))

OWN_VOTE = (
    yes(),
    no("not is_mine"),
    no("not is_latest"),
    no("not poll.is_kept"),
    no("not poll.is_closing_later"),
    no("poll.is_closed"),
    no("not poll.am_voter"),
    yes("poll.specified_voters_only"),
    yes("not poll.am_voter", "poll.am_group_member"),
    yes("not poll.am_voter", "poll.am_guest_of_thread"),
    yes("not poll.am_voter", "poll.am_guest_voter"),
    no("not poll.am_voter", "poll.am_group_member", "poll.specified_voters_only"),
)
OWN = ("is_mine", "is_latest", "poll.am_voter", "poll.is_kept", "poll.is_closing_later")

TABLES: Tables = {
    Ability.OUTCOME_ADD_GUESTS: table(PollFacts, *GUESTS_ADDED, *OVER),
    Ability.OUTCOME_ADD_MEMBERS: table(PollFacts, *ADMINS, *OVER),
    Ability.OUTCOME_ANNOUNCE: table(PollFacts, *ANNOUNCED, *OVER),
    Ability.OUTCOME_CREATE: STATE,
    Ability.OUTCOME_SHOW: SHOW,
    Ability.OUTCOME_UPDATE: STATE,
    Ability.POLL_ADD_GUESTS: table(PollFacts, *GUESTS_ADDED),
    Ability.POLL_ADD_MEMBERS: table(PollFacts, *ADMINS),
    Ability.POLL_ADD_VOTERS: table(PollFacts, *ADMINS),
    Ability.POLL_ANNOUNCE: ANNOUNCE,
    Ability.POLL_CLOSE: table(
        PollFacts,
        *ADMINS,
        no("am_author", "is_closed"),
        no("am_author", "not is_kept"),
        no("am_author", "not is_closing_later"),
        yes("am_author", "is_in_closed_thread"),
        given=ACTIVE,
    ),
    Ability.POLL_CREATE: table(
        NewPollFacts,
        # on its own
        no(),
        yes("am_verified"),
        no("am_verified", "has_template"),
        yes("am_verified", "has_template", "is_template_public"),
        yes("am_verified", "has_template", "is_template_of_my_group"),
        # in a direct thread
        no("am_verified", "discussion"),
        yes("discussion.am_guest"),
        yes("discussion.am_group_member"),
        no("discussion.am_guest", "discussion.is_closed"),
        # in a group
        no("am_verified", "group"),
        yes("group.am_admin"),
        no("group.am_admin", "discussion.is_closed"),
        yes("group.am_admin", "discussion"),
        no("group.am_member"),
        no("group.members_can_raise_motions"),
        yes("group.am_member", "group.members_can_raise_motions"),
        no("group.members_can_raise_motions", "discussion"),
        no("group", "discussion.am_guest"),
        yes("group.members_can_raise_motions", "discussion.am_guest"),
    ),
    Ability.POLL_DESTROY: table(PollFacts, *DESTROYED),
    Ability.POLL_EXPORT: table(
        PollFacts,
        *SHOWN,
        no("am_author", "hides_results"),
        yes("am_author", "hides_results", "is_closed"),
        yes("am_author", "is_closed"),
        given=("is_kept",),
    ),
    Ability.POLL_REMIND: ANNOUNCE,
    Ability.POLL_REOPEN: table(
        PollFacts,
        *DESTROYED,
        no("am_author", "not is_closed"),
        no("am_author", "anonymous"),
        given=("is_closed",),
    ),
    Ability.POLL_SHOW: SHOW,
    Ability.POLL_UPDATE: table(PollFacts, *DESTROYED, no("am_author", "is_closed")),
    Ability.POLL_VOTE_IN: VOTE,
    Ability.POLL_OPTION_SHOW: SHOW,
    Ability.POLL_TEMPLATE_CREATE: TEMPLATE,
    Ability.POLL_TEMPLATE_UPDATE: TEMPLATE,
    Ability.STANCE_CREATE: VOTE,
    Ability.STANCE_MAKE_ADMIN: MANAGE,
    Ability.STANCE_REDEEM: table(
        StanceFacts,
        yes(),
        no("not is_latest"),
        no("not was_invited"),
        no("is_cast"),
        no("is_accepted"),
        no("is_revoked"),
        given=("is_latest", "was_invited"),
    ),
    Ability.STANCE_REMOVE: MANAGE,
    Ability.STANCE_REMOVE_ADMIN: MANAGE,
    Ability.STANCE_RESEND: MANAGE,
    Ability.STANCE_SHOW: table(StanceFacts, *within("poll", SHOWN), no("is_mine"), given=("poll.is_kept",)),
    Ability.STANCE_UNCAST: table(StanceFacts, *OWN_VOTE, no("not is_cast"), given=("is_cast", *OWN)),
    Ability.STANCE_UPDATE: table(StanceFacts, *OWN_VOTE, given=OWN),
}


@pytest.mark.parametrize("ability", TABLES)
def test_each_situation_has_its_answer(ability: Ability) -> None:
    assert not wrong_rows(POLICIES[ability], TABLES[ability])


def test_nobody_sees_one_that_is_not_there() -> None:
    assert not can_show(None)
