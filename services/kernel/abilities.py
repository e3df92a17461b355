# SPDX-License-Identifier: AGPL-3.0-or-later
"""Everything that somebody may be allowed to do, and how it is decided.

An **ability** is a kind of record and what is done with it: the names that Loomio authorises by
(models/ability/*.rb). Each has one **policy**: a pure function of facts, in the `policy.py` of the domain that
the record belongs to. The facts say what must be known of a record *and* of who asks (`is_…`, `am_…`); where
the answer depends on another record, they hold its facts.

    POLICIES = Policies({Ability.COMMENT_UPDATE: Policy(CommentFacts, can_update), …})

    POLICIES.check(Ability.COMMENT_UPDATE, facts)  # or 403

Nobody may do what no policy allows, and nobody may do anything with a record that is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from services.kernel.errors import AccessDeniedError

Facts = TypeVar("Facts")


class Ability(StrEnum):
    """All of Loomio's abilities, in alphabetical order."""

    ATTACHMENT_DESTROY = "attachment.destroy"
    ATTACHMENT_SHOW = "attachment.show"
    CHATBOT_CREATE = "chatbot.create"
    CHATBOT_DESTROY = "chatbot.destroy"
    CHATBOT_TEST = "chatbot.test"
    CHATBOT_UPDATE = "chatbot.update"
    COMMENT_CREATE = "comment.create"
    COMMENT_DESTROY = "comment.destroy"
    COMMENT_DISCARD = "comment.discard"
    COMMENT_SHOW = "comment.show"
    COMMENT_UNDISCARD = "comment.undiscard"
    COMMENT_UPDATE = "comment.update"
    DISCUSSION_ADD_GUESTS = "discussion.add_guests"
    DISCUSSION_ADD_MEMBERS = "discussion.add_members"
    DISCUSSION_ANNOUNCE = "discussion.announce"
    DISCUSSION_CREATE = "discussion.create"
    DISCUSSION_DESTROY = "discussion.destroy"
    DISCUSSION_DISCARD = "discussion.discard"
    DISCUSSION_DISMISS = "discussion.dismiss"
    DISCUSSION_MARK_AS_READ = "discussion.mark_as_read"
    DISCUSSION_MARK_AS_SEEN = "discussion.mark_as_seen"
    DISCUSSION_MOVE = "discussion.move"
    DISCUSSION_MOVE_COMMENTS = "discussion.move_comments"
    DISCUSSION_PIN = "discussion.pin"
    DISCUSSION_PRINT = "discussion.print"
    DISCUSSION_REMOVE_EVENTS = "discussion.remove_events"
    DISCUSSION_SET_VOLUME = "discussion.set_volume"
    DISCUSSION_SHOW = "discussion.show"
    DISCUSSION_SUBSCRIBE_TO = "discussion.subscribe_to"
    DISCUSSION_UPDATE = "discussion.update"
    DISCUSSION_UPDATE_VERSION = "discussion.update_version"
    DISCUSSION_READER_MAKE_ADMIN = "discussion_reader.make_admin"
    DISCUSSION_READER_REDEEM = "discussion_reader.redeem"
    DISCUSSION_READER_REMOVE = "discussion_reader.remove"
    DISCUSSION_READER_REMOVE_ADMIN = "discussion_reader.remove_admin"
    DISCUSSION_READER_RESEND = "discussion_reader.resend"
    DISCUSSION_READER_UPDATE = "discussion_reader.update"
    DISCUSSION_TEMPLATE_CREATE = "discussion_template.create"
    DISCUSSION_TEMPLATE_UPDATE = "discussion_template.update"
    DOCUMENT_CREATE = "document.create"
    DOCUMENT_DESTROY = "document.destroy"
    DOCUMENT_UPDATE = "document.update"
    EVENT_PIN = "event.pin"
    EVENT_UNPIN = "event.unpin"
    GLOBAL_MESSAGE_CHANNEL_SUBSCRIBE_TO = "global_message_channel.subscribe_to"
    GROUP_ADD_GUESTS = "group.add_guests"
    GROUP_ADD_MEMBERS = "group.add_members"
    GROUP_ADD_SUBGROUP = "group.add_subgroup"
    GROUP_ANNOUNCE = "group.announce"
    GROUP_ARCHIVE = "group.archive"
    GROUP_CREATE = "group.create"
    GROUP_DESTROY = "group.destroy"
    GROUP_EMAIL_MEMBERS = "group.email_members"
    GROUP_EXPORT = "group.export"
    GROUP_INVITE_PEOPLE = "group.invite_people"
    GROUP_JOIN = "group.join"
    GROUP_MANAGE_MEMBERSHIP_REQUESTS = "group.manage_membership_requests"
    GROUP_MEMBERS_AUTOCOMPLETE = "group.members_autocomplete"
    GROUP_MERGE = "group.merge"
    GROUP_MOVE = "group.move"
    GROUP_MOVE_DISCUSSIONS_TO = "group.move_discussions_to"
    GROUP_NOTIFY = "group.notify"
    GROUP_PUBLISH = "group.publish"
    GROUP_SEE_PRIVATE_CONTENT = "group.see_private_content"
    GROUP_SET_VOLUME = "group.set_volume"
    GROUP_SHOW = "group.show"
    GROUP_SHOW_CHATBOTS = "group.show_chatbots"
    GROUP_SUBSCRIBE_TO = "group.subscribe_to"
    GROUP_UPDATE = "group.update"
    GROUP_VIEW_PENDING_INVITATIONS = "group.view_pending_invitations"
    IDENTITY_DESTROY = "identity.destroy"
    IDENTITY_SHOW = "identity.show"
    MEMBERSHIP_DESTROY = "membership.destroy"
    MEMBERSHIP_MAKE_ADMIN = "membership.make_admin"
    MEMBERSHIP_MAKE_DELEGATE = "membership.make_delegate"
    MEMBERSHIP_REMOVE_ADMIN = "membership.remove_admin"
    MEMBERSHIP_REMOVE_DELEGATE = "membership.remove_delegate"
    MEMBERSHIP_RESEND = "membership.resend"
    MEMBERSHIP_REVOKE = "membership.revoke"
    MEMBERSHIP_SHOW = "membership.show"
    MEMBERSHIP_UPDATE = "membership.update"
    MEMBERSHIP_REQUEST_APPROVE = "membership_request.approve"
    MEMBERSHIP_REQUEST_CANCEL = "membership_request.cancel"
    MEMBERSHIP_REQUEST_CREATE = "membership_request.create"
    MEMBERSHIP_REQUEST_IGNORE = "membership_request.ignore"
    MEMBERSHIP_REQUEST_SHOW = "membership_request.show"
    OUTCOME_ADD_GUESTS = "outcome.add_guests"
    OUTCOME_ADD_MEMBERS = "outcome.add_members"
    OUTCOME_ANNOUNCE = "outcome.announce"
    OUTCOME_CREATE = "outcome.create"
    OUTCOME_SHOW = "outcome.show"
    OUTCOME_UPDATE = "outcome.update"
    POLL_ADD_GUESTS = "poll.add_guests"
    POLL_ADD_MEMBERS = "poll.add_members"
    POLL_ADD_VOTERS = "poll.add_voters"
    POLL_ANNOUNCE = "poll.announce"
    POLL_CLOSE = "poll.close"
    POLL_CREATE = "poll.create"
    POLL_DESTROY = "poll.destroy"
    POLL_EXPORT = "poll.export"
    POLL_REMIND = "poll.remind"
    POLL_REOPEN = "poll.reopen"
    POLL_SHOW = "poll.show"
    POLL_UPDATE = "poll.update"
    POLL_VOTE_IN = "poll.vote_in"
    POLL_OPTION_SHOW = "poll_option.show"
    POLL_TEMPLATE_CREATE = "poll_template.create"
    POLL_TEMPLATE_UPDATE = "poll_template.update"
    REACTION_DESTROY = "reaction.destroy"
    REACTION_SHOW = "reaction.show"
    REACTION_UPDATE = "reaction.update"
    RECEIVED_EMAIL_SHOW = "received_email.show"
    STANCE_CREATE = "stance.create"
    STANCE_MAKE_ADMIN = "stance.make_admin"
    STANCE_REDEEM = "stance.redeem"
    STANCE_REMOVE = "stance.remove"
    STANCE_REMOVE_ADMIN = "stance.remove_admin"
    STANCE_RESEND = "stance.resend"
    STANCE_SHOW = "stance.show"
    STANCE_UNCAST = "stance.uncast"
    STANCE_UPDATE = "stance.update"
    TAG_CREATE = "tag.create"
    TAG_DESTROY = "tag.destroy"
    TAG_SHOW = "tag.show"
    TAG_UPDATE = "tag.update"
    TASK_UPDATE = "task.update"
    USER_CONTACT = "user.contact"
    USER_DEACTIVATE = "user.deactivate"
    USER_REDACT = "user.redact"
    USER_SEE_NOTIFICATIONS_FOR = "user.see_notifications_for"
    USER_SHOW = "user.show"
    USER_SUBSCRIBE_TO = "user.subscribe_to"
    USER_UPDATE = "user.update"


@dataclass(frozen=True, slots=True)
class Policy(Generic[Facts]):
    """What an ability is decided by."""

    facts: type[Facts]
    allows: Callable[[Facts], bool]


class Policies(Mapping[Ability, Policy[Any]]):
    """The policies of one domain, or of all of them."""

    def __init__(self, *parts: Mapping[Ability, Policy[Any]]) -> None:
        """One table of all `parts`. Raises `ValueError` for an ability that is in two of them."""
        self._policies: dict[Ability, Policy[Any]] = {}
        for part in parts:
            if twice := self._policies.keys() & part.keys():
                raise ValueError(f"more than one policy for {', '.join(sorted(twice))}")
            self._policies.update(part)

    def __getitem__(self, ability: Ability) -> Policy[Any]:
        """The policy of `ability`. Raises `KeyError` where another domain has it."""
        return self._policies[ability]

    def __iter__(self) -> Iterator[Ability]:
        """The abilities that are decided here."""
        return iter(self._policies)

    def __len__(self) -> int:
        """How many these are."""
        return len(self._policies)

    def can(self, ability: Ability, facts: object) -> bool:
        """Whether `facts` allow it. Raises `TypeError` where they are of another kind than the policy's."""
        policy = self[ability]
        if not isinstance(facts, policy.facts):
            raise TypeError(f"{ability} is decided by {policy.facts.__name__}, not {type(facts).__name__}")
        return policy.allows(facts)

    def check(self, ability: Ability, facts: object) -> None:
        """Go on if `facts` allow it. Raises `AccessDeniedError`."""
        if not self.can(ability, facts):
            raise AccessDeniedError(f"do this ({ability})")
