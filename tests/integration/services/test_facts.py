# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is loaded of records and people, for policies to decide by: which rows change which facts.

Every test begins with a record that means nothing to the actor. Each change of rows is taken back, and tells exactly
which facts are otherwise by it; at the end every fact must have been.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec

from services.comments.model import CommentFacts
from services.discussions.model import DiscussionFacts, DiscussionReaderFacts
from services.groups.model import GroupFacts, MembershipFacts
from services.kernel.actor import Actor, Tokens
from services.polls.model import PollFacts, StanceFacts
from services.users.model import ContactFacts, UserFacts
from tests.factories import NOW, Factory
from tests.recordedrights import Facts, signed_in

EARLIER, LATER = NOW - timedelta(days=1), NOW + timedelta(days=1)

RIGHTS_OF_MEMBERS = (
    "members_can_add_guests",
    "members_can_add_members",
    "members_can_announce",
    "members_can_create_subgroups",
    "members_can_delete_comments",
    "members_can_edit_comments",
    "members_can_edit_discussions",
    "members_can_raise_motions",
    "members_can_start_discussions",
)
STRICT = dict.fromkeys((*RIGHTS_OF_MEMBERS, "admins_can_edit_user_content"), False)
"""A group that leaves nothing to anybody."""

Change = Awaitable[object]


@dataclass(slots=True)
class Watch:
    """The facts of one record and one actor, and which of them were seen to be otherwise."""

    make: Factory
    actor: Actor
    kind: type[Any]
    load: Callable[[Facts], Awaitable[object]]
    changed: set[str] = field(default_factory=set)

    async def truths(self) -> set[str]:
        """What is true now."""
        facts = await self.load(Facts(self.make.connection, self.actor, NOW))
        assert isinstance(facts, self.kind)
        return {name for name in self.kind.__struct_fields__ if getattr(facts, name) is True}

    async def differs(self, *names: str, by: tuple[Change, ...]) -> None:
        """Exactly these facts are otherwise by these changes, which are taken back."""
        before = await self.truths()
        transaction = self.make.connection.transaction()
        await transaction.start()
        try:
            for change in by:
                await change
            after = await self.truths()
        finally:
            await transaction.rollback()
        assert before ^ after == set(names)
        self.changed |= set(names)

    def unseen(self) -> set[str]:
        """The facts that were never otherwise."""
        return {one.name for one in msgspec.structs.fields(self.kind) if one.type is bool} - self.changed


async def person(make: Factory, **columns: Any) -> Actor:
    """Somebody new, signed in."""
    actor = await signed_in(make.connection, await make.user(**columns))
    assert actor is not None
    return actor


def me(actor: Actor) -> int:
    """The actor's id."""
    assert actor.id is not None
    return actor.id


async def test_of_groups(make: Factory) -> None:
    actor = await person(make, email_verified=False)
    group, above = await make.group(**STRICT, membership_granted_upon="invitation"), await make.group()
    i = me(actor)
    seen = Watch(make, actor, GroupFacts, lambda facts: facts.group(str(group)))
    assert await seen.truths() == {"is_top", "has_active_subscription"}

    def set_(**columns: Any) -> tuple[Change]:
        return (make.update("groups", group, **columns),)

    await seen.differs("is_archived", by=set_(archived_at=NOW))
    await seen.differs("is_top", by=set_(parent_id=above))
    await seen.differs("is_visible_to_public", by=set_(is_visible_to_public=True))
    await seen.differs("is_visible_to_parent_members", by=set_(is_visible_to_parent_members=True))
    await seen.differs("has_public_threads_only", by=set_(discussion_privacy_options="public_only"))
    await seen.differs(by=set_(discussion_privacy_options="public_or_private"))
    await seen.differs("is_joined_upon_request", by=set_(membership_granted_upon="request"))
    await seen.differs("is_joined_upon_approval", by=set_(membership_granted_upon="approval"))
    for right in RIGHTS_OF_MEMBERS:
        await seen.differs(*({right} & set(GroupFacts.__struct_fields__)), by=set_(**{right: True}))

    await seen.differs("am_member", by=(make.membership(group, i),))
    await seen.differs("am_member", by=(make.membership(group, i, accepted_at=None),))
    await seen.differs("am_member", "am_admin", by=(make.membership(group, i, admin=True),))
    await seen.differs(by=(make.membership(group, i, admin=True, revoked_at=NOW),))
    await seen.differs(by=(make.membership(above, i, admin=True),))
    await seen.differs("is_top", "am_parent_member", by=(*set_(parent_id=above), make.membership(above, i)))
    await seen.differs(
        "is_top",
        "am_parent_member",
        "am_parent_admin",
        by=(*set_(parent_id=above), make.membership(above, i, admin=True)),
    )
    await seen.differs(
        "is_top", by=(*set_(parent_id=above), make.membership(above, i, admin=True, revoked_at=NOW))
    )
    await seen.differs("am_verified", by=(make.update("users", i, email_verified=True),))
    await seen.differs("am_site_admin", by=(make.update("users", i, is_admin=True),))

    paid = await make.insert("subscriptions", state="active", expires_at=LATER)
    over = await make.insert("subscriptions", state="active", expires_at=EARLIER)
    gone = await make.insert("subscriptions", state="canceled")
    await seen.differs(by=set_(subscription_id=paid))
    await seen.differs("has_active_subscription", by=set_(subscription_id=over))
    await seen.differs("has_active_subscription", by=set_(subscription_id=gone))
    await seen.differs(
        "is_top",
        "has_active_subscription",
        by=(*set_(parent_id=above), make.update("groups", above, subscription_id=over)),
    )

    tokens = Tokens(group="g-token", membership="m-token")
    outside = Watch(make, Actor(None, tokens), GroupFacts, seen.load)
    other = await make.user()
    await outside.differs("hold_its_token", by=set_(token=tokens.group))
    await outside.differs(
        "hold_an_invitation", by=(make.membership(group, other, accepted_at=None, token=tokens.membership),)
    )
    await outside.differs(by=(make.membership(group, other, token=tokens.membership),))
    await outside.differs(
        by=(make.membership(group, other, accepted_at=None, token=tokens.membership, revoked_at=NOW),)
    )
    await seen.differs(by=set_(token=tokens.group))
    assert seen.unseen() - outside.changed == set()


async def test_of_memberships(make: Factory) -> None:
    actor, other = await person(make), await make.user()
    above = await make.group()
    group = await make.group(parent_id=above)
    membership = await make.membership(group, other, accepted_at=None)
    i = me(actor)
    seen = Watch(make, actor, MembershipFacts, lambda facts: facts.membership(str(membership)))
    assert await seen.truths() == set()
    await seen.differs("is_accepted", by=(make.update("memberships", membership, accepted_at=NOW),))
    await seen.differs("is_mine", "am_group_member", by=(make.update("memberships", membership, user_id=i),))
    await seen.differs("am_inviter", by=(make.update("memberships", membership, inviter_id=i),))
    await seen.differs("am_group_member", by=(make.membership(group, i),))
    await seen.differs(
        "am_group_member", "am_group_admin", "has_group_admins", by=(make.membership(group, i, admin=True),)
    )
    await seen.differs(by=(make.membership(group, i, admin=True, revoked_at=NOW),))
    await seen.differs("has_group_admins", by=(make.update("memberships", membership, admin=True),))
    await seen.differs("am_parent_admin", by=(make.membership(above, i, admin=True),))
    await seen.differs(by=(make.membership(above, i),))
    await seen.differs("am_site_admin", by=(make.update("users", i, is_admin=True),))
    assert not seen.unseen()
    outside = Watch(make, Actor(), MembershipFacts, seen.load)
    assert await outside.truths() == set()


async def test_of_threads(make: Factory) -> None:
    actor, author = await person(make), await make.user()
    above = await make.group()
    group = await make.group(**STRICT, parent_id=above)
    thread = await make.discussion(author, group)
    i = me(actor)
    seen = Watch(make, actor, DiscussionFacts, lambda facts: facts.discussion(str(thread)))
    assert await seen.truths() == {"is_saved", "is_kept", "has_group", "allows_guests", "am_signed_in"}

    def set_(**columns: Any) -> tuple[Change]:
        return (make.update("discussions", thread, **columns),)

    await seen.differs("is_kept", by=set_(discarded_at=NOW))
    await seen.differs("is_closed", by=set_(closed_at=NOW))
    await seen.differs("is_public", by=set_(private=False))
    await seen.differs("is_in_archived_group", by=(make.update("groups", group, archived_at=NOW),))
    for right in STRICT:
        known = {right} & set(DiscussionFacts.__struct_fields__)
        await seen.differs(*known, by=(make.update("groups", group, **{right: True}),))
    await seen.differs(
        "has_group",
        *(set(RIGHTS_OF_MEMBERS) & set(DiscussionFacts.__struct_fields__)),
        by=set_(group_id=None),
    )
    closed = await make.insert("subscriptions", allow_guests=False)
    await seen.differs("allows_guests", by=(make.update("groups", above, subscription_id=closed),))
    await seen.differs(
        "allows_guests", by=(make.update("groups", group, parent_id=None, subscription_id=closed),)
    )
    await seen.differs("am_author", by=set_(author_id=i))
    await seen.differs("am_group_member", by=(make.membership(group, i),))
    await seen.differs("am_group_member", "am_group_admin", by=(make.membership(group, i, admin=True),))
    await seen.differs(by=(make.membership(group, i, admin=True, revoked_at=NOW),))
    await seen.differs("am_guest", by=(make.reader(thread, i),))
    await seen.differs("am_admin", by=(make.reader(thread, i, guest=False, admin=True),))
    await seen.differs(by=(make.reader(thread, i, admin=True, revoked_at=NOW),))
    opened = make.update("groups", group, parent_members_can_see_discussions=True)
    await seen.differs(
        "is_open_to_me_as_parent_member", by=(opened, make.membership(above, i, accepted_at=None))
    )
    await seen.differs(by=(make.membership(above, i),))
    opened = make.update("groups", group, parent_members_can_see_discussions=True)
    await seen.differs(by=(opened, make.membership(above, i), make.update("groups", above, archived_at=NOW)))

    tokens = Tokens(discussion_reader="d-token")
    outside = Watch(make, Actor(None, tokens), DiscussionFacts, seen.load)
    await outside.differs("hold_its_token", by=(make.reader(thread, author, token=tokens.discussion_reader),))
    await outside.differs(by=(make.reader(thread, author, token=tokens.discussion_reader, revoked_at=NOW),))
    await outside.differs(by=(make.reader(thread, author, token=tokens.discussion_reader, guest=False),))
    assert "am_signed_in" not in await outside.truths()
    assert seen.unseen() - outside.changed == {"is_saved", "am_signed_in"}


async def test_of_comments(make: Factory) -> None:
    actor, author = await person(make), await make.user()
    thread = await make.discussion(author)
    comment = await make.comment(thread, author)
    seen = Watch(make, actor, CommentFacts, lambda facts: facts.comment(str(comment)))
    assert await seen.truths() == {"is_kept"}
    await seen.differs("is_kept", by=(make.update("comments", comment, discarded_at=NOW),))
    await seen.differs("am_author", by=(make.update("comments", comment, user_id=me(actor)),))
    reply = {"parent_type": "Comment", "parent_id": comment, "discarded_at": NOW}
    await seen.differs("has_replies", by=(make.comment(thread, author, **reply),))
    await seen.differs(by=(make.comment(thread, author, parent_type="Stance", parent_id=comment),))
    assert not seen.unseen()
    loaded = await seen.load(Facts(make.connection, actor, NOW))
    assert isinstance(loaded, CommentFacts)
    assert loaded.discussion is not None
    assert loaded.discussion.id == thread


async def test_of_readers(make: Factory) -> None:
    actor, other = await person(make), await make.user()
    thread = await make.discussion(other)
    reader = await make.reader(thread, other, guest=False)
    seen = Watch(make, actor, DiscussionReaderFacts, lambda facts: facts.reader(str(reader)))
    assert await seen.truths() == set()
    await seen.differs("is_mine", by=(make.update("discussion_readers", reader, user_id=me(actor)),))
    await seen.differs("is_guest", by=(make.update("discussion_readers", reader, guest=True),))
    await seen.differs("is_accepted", by=(make.update("discussion_readers", reader, accepted_at=NOW),))
    await seen.differs("is_revoked", by=(make.update("discussion_readers", reader, revoked_at=NOW),))
    assert not seen.unseen()


async def test_of_polls(make: Factory) -> None:
    actor, author = await person(make), await make.user()
    group = await make.group(**STRICT)
    thread = await make.discussion(author, group)
    poll = await make.poll(author, group, discussion_id=thread)
    i = me(actor)
    seen = Watch(make, actor, PollFacts, lambda facts: facts.poll(str(poll)))
    assert await seen.truths() == {"is_kept", "has_group", "allows_guests"}

    def set_(**columns: Any) -> tuple[Change]:
        return (make.update("polls", poll, **columns),)

    await seen.differs("is_kept", by=set_(discarded_at=NOW))
    await seen.differs("is_closed", by=set_(closed_at=NOW))
    await seen.differs("is_closing_later", by=set_(closing_at=LATER))
    await seen.differs(by=set_(closing_at=NOW))
    await seen.differs("anonymous", by=set_(anonymous=True))
    for hiding in (1, 2):
        await seen.differs("hides_results", by=set_(hide_results=hiding))
    await seen.differs("specified_voters_only", by=set_(specified_voters_only=True))
    await seen.differs(
        "is_public", by=(make.update("groups", group, discussion_privacy_options="public_only"),)
    )
    await seen.differs("is_in_closed_thread", by=(make.update("discussions", thread, closed_at=NOW),))
    for right in STRICT:
        known = {right} & set(PollFacts.__struct_fields__)
        await seen.differs(*known, by=(make.update("groups", group, **{right: True}),))
    await seen.differs(
        "has_group", *(set(RIGHTS_OF_MEMBERS) & set(PollFacts.__struct_fields__)), by=set_(group_id=None)
    )
    closed = await make.insert("subscriptions", allow_guests=False)
    await seen.differs("allows_guests", by=(make.update("groups", group, subscription_id=closed),))
    await seen.differs("am_author", by=set_(author_id=i))
    await seen.differs("am_group_member", "have_been_group_member", by=(make.membership(group, i),))
    await seen.differs(
        "am_group_member",
        "have_been_group_member",
        "am_group_admin",
        by=(make.membership(group, i, admin=True),),
    )
    await seen.differs("have_been_group_member", by=(make.membership(group, i, admin=True, revoked_at=NOW),))
    await seen.differs("am_guest_of_thread", by=(make.reader(thread, i),))
    await seen.differs("am_admin_of_thread", by=(make.reader(thread, i, guest=False, admin=True),))
    await seen.differs(by=(make.reader(thread, i, admin=True, revoked_at=NOW),))
    await seen.differs("am_voter", by=(make.stance(poll, i),))
    await seen.differs("am_voter", "am_guest_voter", "am_guest", by=(make.stance(poll, i, guest=True),))
    await seen.differs("am_voter", "am_admin_voter", by=(make.stance(poll, i, admin=True),))
    await seen.differs("am_guest", by=(make.stance(poll, i, guest=True, admin=True, latest=False),))
    await seen.differs(by=(make.stance(poll, i, guest=True, admin=True, revoked_at=NOW),))

    tokens = Tokens(discussion_reader="a-token", stance="whatever")
    outside = Watch(make, Actor(None, tokens), PollFacts, seen.load)
    await outside.differs("hold_its_token", by=(make.reader(thread, author, token=tokens.discussion_reader),))
    await outside.differs(
        "hold_its_token", by=(make.stance(poll, author, token=tokens.discussion_reader, guest=True),)
    )
    await outside.differs(by=(make.stance(poll, author, token=tokens.stance, guest=True),))
    await outside.differs(
        by=(make.stance(poll, author, token=tokens.discussion_reader, guest=True, revoked_at=NOW),)
    )
    assert seen.unseen() - outside.changed == set()


async def test_of_votes(make: Factory) -> None:
    actor, other = await person(make), await make.user()
    poll = await make.poll(other)
    stance = await make.stance(poll, other)
    seen = Watch(make, actor, StanceFacts, lambda facts: facts.stance(str(stance)))
    assert await seen.truths() == {"is_latest"}
    await seen.differs("is_mine", by=(make.update("stances", stance, participant_id=me(actor)),))
    await seen.differs("is_latest", by=(make.update("stances", stance, latest=False),))
    await seen.differs("is_cast", by=(make.update("stances", stance, cast_at=NOW),))
    await seen.differs("is_accepted", by=(make.update("stances", stance, accepted_at=NOW),))
    await seen.differs("is_revoked", by=(make.update("stances", stance, revoked_at=NOW),))
    await seen.differs("was_invited", by=(make.update("stances", stance, inviter_id=other),))
    assert not seen.unseen()


async def test_of_accounts(make: Factory) -> None:
    actor, other = await person(make), await make.user()
    seen = Watch(make, actor, UserFacts, lambda facts: facts.user(str(other)))
    assert await seen.truths() == {"is_active", "has_email", "am_signed_in"}
    await seen.differs("is_active", by=(make.update("users", other, deactivated_at=NOW),))
    await seen.differs("has_email", by=(make.update("users", other, email=None),))
    await seen.differs("am_site_admin", by=(make.update("users", me(actor), is_admin=True),))
    own = Watch(make, actor, UserFacts, lambda facts: facts.user(str(me(actor))))
    assert "is_mine" in await own.truths()
    outside = Watch(make, Actor(), UserFacts, seen.load)
    assert await outside.truths() == {"is_active", "has_email"}
    assert seen.unseen() == {"is_mine", "am_signed_in"}


async def test_of_what_two_people_have_in_common(make: Factory) -> None:
    actor, other, author = await person(make), await make.user(), await make.user()
    i = me(actor)
    group = await make.group()
    seen = Watch(make, actor, ContactFacts, lambda facts: facts.contact(str(other)))
    assert await seen.truths() == set()
    thread, direct = await make.discussion(author, group), await make.discussion(author)
    poll, lone = await make.poll(author, group), await make.poll(author)

    def circles(user: int) -> list[Callable[[], Change]]:
        """The ways in which a group is somebody's."""
        return [
            lambda: make.membership(group, user, revoked_at=NOW),
            lambda: make.insert(
                "membership_requests", group_id=group, requestor_id=user, created_at=NOW, updated_at=NOW
            ),
            lambda: make.reader(thread, user),
            lambda: make.stance(poll, user, latest=False, revoked_at=NOW),
        ]

    for mine, theirs in zip(circles(i), reversed(circles(other)), strict=True):
        await seen.differs("shares_a_group", by=(mine(), theirs()))
        await seen.differs(by=(mine(),))
        await seen.differs(by=(theirs(),))
    await seen.differs("shares_a_thread", by=(make.reader(direct, i), make.reader(direct, other)))
    await seen.differs(by=(make.reader(direct, i), make.reader(direct, other, guest=False)))
    await seen.differs(by=(make.reader(direct, i, revoked_at=NOW), make.reader(direct, other)))
    await seen.differs("shares_a_poll", by=(make.stance(lone, i), make.stance(lone, other, revoked_at=NOW)))
    assert not seen.unseen()
