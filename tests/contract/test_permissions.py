# SPDX-License-Identifier: AGPL-3.0-or-later
"""Policies allow what the recorded application allowed, and refuse what it refused.

Each recorded request that was answered or refused is asked again of the policies alone: what decides is loaded from
the recorded database, after what the recorder changed there for the case.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from contracts.corpus import Corpus
from services.app.abilities import POLICIES
from services.discussions.model import DiscussionFacts, NewDiscussionFacts
from services.documents.model import DocumentFacts
from services.groups.model import GroupFacts, NewGroupFacts
from services.kernel.abilities import Ability
from services.kernel.columns import Connection
from services.polls.model import NewPollFacts
from services.reactions.model import ReactionFacts
from services.tasks.model import TaskFacts
from tests.recordedrights import Asked, Case, Facts, Locate, asking, behind, cases, named, said


async def edit_of_thread(facts: Facts, asked: Asked) -> object:
    """The thread of an event that tells of its change; no other can be taken out of one."""
    if await facts.column("events", "kind", asked.name) != "discussion_edited":
        return None
    return await behind("events", "discussion_id")(facts, asked)


async def new_discussion(facts: Facts, asked: Asked) -> object:
    """A thread of a group. Whom it is told to is a question of its own."""
    if any(name.startswith("recipient_") for name in asked.said):
        return None
    group = await said("group")(facts, asked)
    if not isinstance(group, GroupFacts):
        return None
    return NewDiscussionFacts(am_verified=group.am_verified, am_in_a_group=group.am_member, group=group)


async def new_group(facts: Facts, asked: Asked) -> object:
    """A subgroup."""
    parent = await facts.group(str(asked.said["parent_id"])) if asked.said.get("parent_id") else None
    if not isinstance(parent, GroupFacts):
        return None
    return NewGroupFacts(
        is_open_to_all=True,
        am_verified=parent.am_verified,
        am_site_admin=parent.am_site_admin,
        parent=parent,
    )


async def new_poll(facts: Facts, asked: Asked) -> object:
    """A poll of a group, or of a thread; without a template."""
    if asked.said.get("poll_template_id"):
        return None
    thread = await said("discussion")(facts, asked)
    group = await said("group")(facts, asked)
    if isinstance(thread, DiscussionFacts) and thread.has_group:
        group = await facts.group(str(await facts.column("discussions", "group_id", str(thread.id))))
    if thread is None and group is None:
        return None
    return NewPollFacts(
        am_verified=False,
        has_template=False,
        is_template_public=False,
        is_template_of_my_group=False,
        discussion=thread if isinstance(thread, DiscussionFacts) else None,
        group=group if isinstance(group, GroupFacts) else None,
    )


async def contact(facts: Facts, asked: Asked) -> object:
    """What the actor and the person in a parameter have in common."""
    return await facts.contact(str(asked.said["user_id"]))


async def reaction(facts: Facts, asked: Asked) -> object:
    """A reaction that is about to be made."""
    kind, key = str(asked.said.get("reactable_type")), str(asked.said.get("reactable_id"))
    return ReactionFacts(
        am_author=False,
        am_signed_in=facts.actor.id is not None,
        may_show_record=await may("show", facts, kind, key),
    )


async def old_reaction(facts: Facts, asked: Asked) -> object:
    """A reaction that is there."""
    author = await facts.column("reactions", "user_id", asked.name)
    return ReactionFacts(
        am_author=author == facts.actor.id, am_signed_in=facts.actor.id is not None, may_show_record=False
    )


async def task(facts: Facts, asked: Asked) -> object:
    """A task, by id."""
    kind, key = [await facts.column("tasks", f"record_{what}", asked.name) for what in ("type", "id")]
    assignees = await facts.connection.fetch(
        "SELECT user_id FROM tasks_users WHERE task_id = $1", int(asked.name)
    )
    return TaskFacts(
        am_author=await facts.column("tasks", "author_id", asked.name) == facts.actor.id,
        am_assignee=any(row["user_id"] == facts.actor.id for row in assignees),
        may_update_record=await may("update", facts, kind, str(key)),
    )


async def new_document(facts: Facts, asked: Asked) -> object:
    """A document that is about to be made, of some record."""
    return await _document(facts, asked.said.get("model_type"), asked.said.get("model_id"), None)


async def document(facts: Facts, asked: Asked) -> object:
    """A document, by id."""
    kind, key, group = [
        await facts.column("documents", what, asked.name) for what in ("model_type", "model_id", "group_id")
    ]
    return await _document(facts, kind, key, group)


async def _document(facts: Facts, kind: Any, key: Any, group_id: Any) -> object:
    if kind is None:
        return None
    group = None if group_id is None else await facts.group(str(group_id))
    return DocumentFacts(
        has_record=True,
        may_update_record=await may("update", facts, kind, str(key)),
        am_group_admin=isinstance(group, GroupFacts) and group.am_admin,
        am_verified=False,
    )


async def group_of_attachment(facts: Facts, asked: Asked) -> object:
    """The group that an attachment's record belongs to."""
    kind, key = [
        await facts.column("active_storage_attachments", f"record_{what}", asked.name)
        for what in ("type", "id")
    ]
    if kind == "Comment":
        kind, key = "Discussion", await facts.column("comments", "discussion_id", str(key))
    if kind != "Group":
        key = await facts.column(f"{kind.lower()}s", "group_id", str(key))
    return await facts.group(str(key))


async def may(action: str, facts: Facts, kind: str, key: str) -> bool:
    """Whether the actor may do this with a record of any kind."""
    of = {"Outcome": "poll"}.get(kind, kind.lower())
    if kind == "Outcome":
        key = str(await facts.column("outcomes", "poll_id", key))
    record = await getattr(facts, of)(key)
    return record is not None and POLICIES.can(Ability(f"{kind.lower()}.{action}"), record)


Judge = tuple[tuple[Ability, Locate], ...]
"""What a request needs, all of it."""


def needs(ability: Ability, locate: Locate) -> tuple[Judge, ...]:
    """What a request needs that is about one record."""
    return (((ability, locate),),)


def both(one: tuple[Judge, ...], other: tuple[Judge, ...]) -> tuple[Judge, ...]:
    """What a request needs that is about two."""
    return ((*one[0], *other[0]),)


THREAD_SHOWN = needs(Ability.DISCUSSION_SHOW, said("discussion"))
POLL_SHOWN = needs(Ability.POLL_SHOW, said("poll"))
THREAD_CHANGED = needs(Ability.DISCUSSION_UPDATE, named("discussion"))
THREAD_PINNED = needs(Ability.DISCUSSION_PIN, named("discussion"))
THREAD_DISMISSED = needs(Ability.DISCUSSION_DISMISS, named("discussion"))
GROUP_CHANGED = needs(Ability.GROUP_UPDATE, named("group"))
GROUP_EXPORTED = needs(Ability.GROUP_EXPORT, named("group"))
REQUESTS_MANAGED = both(
    needs(Ability.GROUP_SHOW, said("group")),
    needs(Ability.GROUP_MANAGE_MEMBERSHIP_REQUESTS, said("group")),
)
MEMBERSHIP_CHANGED = needs(Ability.MEMBERSHIP_UPDATE, named("membership"))
TARGET_SHOWN = (
    *needs(Ability.GROUP_SHOW, said("group")),
    *THREAD_SHOWN,
    *needs(Ability.COMMENT_SHOW, said("comment")),
    *POLL_SHOWN,
)

JUDGES: dict[str, tuple[Judge, ...]] = {
    "announcements#history": TARGET_SHOWN,
    "announcements#search": TARGET_SHOWN,
    "announcements#users_notified_count": TARGET_SHOWN,
    "attachments#destroy": needs(Ability.ATTACHMENT_DESTROY, group_of_attachment),
    "chatbots#create": needs(Ability.CHATBOT_CREATE, said("group")),
    "chatbots#index": needs(Ability.GROUP_SHOW_CHATBOTS, said("group")),
    "comments#create": needs(Ability.COMMENT_CREATE, said("discussion")),
    "comments#destroy": needs(Ability.COMMENT_DESTROY, named("comment")),
    "comments#discard": needs(Ability.COMMENT_DISCARD, named("comment")),
    "comments#undiscard": needs(Ability.COMMENT_UNDISCARD, named("comment")),
    "comments#update": needs(Ability.COMMENT_UPDATE, named("comment")),
    "discussion_readers#index": THREAD_SHOWN,
    "discussion_readers#make_admin": needs(Ability.DISCUSSION_READER_MAKE_ADMIN, named("reader")),
    "discussion_readers#remove_admin": needs(Ability.DISCUSSION_READER_REMOVE_ADMIN, named("reader")),
    "discussion_readers#resend": needs(Ability.DISCUSSION_READER_RESEND, named("reader")),
    "discussion_readers#revoke": needs(Ability.DISCUSSION_READER_REMOVE, named("reader")),
    "discussion_templates#create": needs(Ability.DISCUSSION_TEMPLATE_CREATE, said("group")),
    "discussion_templates#update": needs(
        Ability.DISCUSSION_TEMPLATE_UPDATE, behind("discussion_templates", "group_id")
    ),
    "discussions#close": THREAD_CHANGED,
    "discussions#create": needs(Ability.DISCUSSION_CREATE, new_discussion),
    "discussions#discard": needs(Ability.DISCUSSION_DISCARD, named("discussion")),
    "discussions#dismiss": THREAD_DISMISSED,
    "discussions#history": needs(Ability.DISCUSSION_SHOW, named("discussion")),
    "discussions#mark_as_seen": needs(Ability.DISCUSSION_MARK_AS_SEEN, named("discussion")),
    "discussions#move": both(
        needs(Ability.DISCUSSION_MOVE, named("discussion")),
        needs(Ability.GROUP_MOVE_DISCUSSIONS_TO, said("group")),
    ),
    "discussions#pin": THREAD_PINNED,
    "discussions#recall": THREAD_DISMISSED,
    "discussions#reopen": THREAD_CHANGED,
    "discussions#set_volume": needs(Ability.DISCUSSION_SHOW, named("discussion")),
    "discussions#show": needs(Ability.DISCUSSION_SHOW, named("discussion")),
    "discussions#unpin": THREAD_PINNED,
    "discussions#update": THREAD_CHANGED,
    "documents#create": needs(Ability.DOCUMENT_CREATE, new_document),
    "documents#destroy": needs(Ability.DOCUMENT_DESTROY, document),
    "documents#for_discussion": THREAD_SHOWN,
    "documents#for_group": needs(Ability.GROUP_SHOW, said("group")),
    "documents#index": TARGET_SHOWN,
    "documents#update": needs(Ability.DOCUMENT_UPDATE, document),
    "events#comment": THREAD_SHOWN,
    "events#count": THREAD_SHOWN,
    "events#index": THREAD_SHOWN,
    "events#pin": needs(Ability.EVENT_PIN, behind("events", "discussion_id")),
    "events#position_keys": THREAD_SHOWN,
    "events#remove_from_thread": needs(Ability.DISCUSSION_REMOVE_EVENTS, edit_of_thread),
    "events#timeline": THREAD_SHOWN,
    "events#unpin": needs(Ability.EVENT_UNPIN, behind("events", "discussion_id")),
    "groups#create": needs(Ability.GROUP_CREATE, new_group),
    "groups#destroy": needs(Ability.GROUP_DESTROY, named("group")),
    "groups#export": GROUP_EXPORTED,
    "groups#export_csv": GROUP_EXPORTED,
    "groups#reset_token": needs(Ability.GROUP_INVITE_PEOPLE, named("group")),
    "groups#show": needs(Ability.GROUP_SHOW, named("group")),
    "groups#subgroups": needs(Ability.GROUP_SHOW, named("group")),
    "groups#token": needs(Ability.GROUP_INVITE_PEOPLE, named("group")),
    "groups#update": GROUP_CHANGED,
    "groups#upload_photo": GROUP_CHANGED,
    "membership_requests#create": needs(Ability.MEMBERSHIP_REQUEST_CREATE, said("group")),
    "membership_requests#pending": REQUESTS_MANAGED,
    "membership_requests#previous": REQUESTS_MANAGED,
    "memberships#destroy": needs(Ability.MEMBERSHIP_REVOKE, named("membership")),
    "memberships#index": (
        *needs(Ability.GROUP_SEE_PRIVATE_CONTENT, said("group")),
        *THREAD_SHOWN,
        *POLL_SHOWN,
    ),
    "memberships#join_group": needs(Ability.GROUP_JOIN, said("group")),
    "memberships#make_admin": needs(Ability.MEMBERSHIP_MAKE_ADMIN, named("membership")),
    "memberships#make_delegate": needs(Ability.MEMBERSHIP_MAKE_DELEGATE, named("membership")),
    "memberships#remove_admin": needs(Ability.MEMBERSHIP_REMOVE_ADMIN, named("membership")),
    "memberships#remove_delegate": needs(Ability.MEMBERSHIP_REMOVE_DELEGATE, named("membership")),
    "memberships#resend": needs(Ability.MEMBERSHIP_RESEND, named("membership")),
    "memberships#save_experience": MEMBERSHIP_CHANGED,
    "memberships#set_volume": MEMBERSHIP_CHANGED,
    "memberships#update": MEMBERSHIP_CHANGED,
    "outcomes#create": needs(Ability.OUTCOME_CREATE, said("poll")),
    "outcomes#update": needs(Ability.OUTCOME_UPDATE, behind("outcomes", "poll_id")),
    "poll_templates#create": needs(Ability.POLL_TEMPLATE_CREATE, said("group")),
    "poll_templates#update": needs(Ability.POLL_TEMPLATE_UPDATE, behind("poll_templates", "group_id")),
    "polls#add_to_thread": both(
        needs(Ability.POLL_UPDATE, named("poll")), needs(Ability.DISCUSSION_UPDATE, said("discussion"))
    ),
    "polls#close": needs(Ability.POLL_CLOSE, named("poll")),
    "polls#create": needs(Ability.POLL_CREATE, new_poll),
    "polls#discard": needs(Ability.POLL_DESTROY, named("poll")),
    "polls#receipts": needs(Ability.POLL_SHOW, named("poll")),
    "polls#remind": needs(Ability.POLL_REMIND, named("poll")),
    "polls#reopen": needs(Ability.POLL_REOPEN, named("poll")),
    "polls#show": needs(Ability.POLL_SHOW, named("poll")),
    "polls#update": needs(Ability.POLL_UPDATE, named("poll")),
    "polls#voters": needs(Ability.POLL_SHOW, named("poll")),
    "profile#contactable": needs(Ability.USER_CONTACT, contact),
    "profile#show": needs(Ability.USER_SHOW, named("user")),
    "reactions#create": needs(Ability.REACTION_UPDATE, reaction),
    "reactions#destroy": needs(Ability.REACTION_DESTROY, old_reaction),
    "stances#create": needs(Ability.STANCE_CREATE, said("poll")),
    "stances#index": POLL_SHOWN,
    "stances#uncast": needs(Ability.STANCE_UNCAST, named("stance")),
    "stances#update": needs(Ability.STANCE_UPDATE, named("stance")),
    "stances#users": POLL_SHOWN,
    "tags#create": needs(Ability.TAG_CREATE, said("group")),
    "tags#destroy": needs(Ability.TAG_DESTROY, behind("tags", "group_id")),
    "tags#priority": needs(Ability.GROUP_UPDATE, said("group")),
    "tags#update": needs(Ability.TAG_UPDATE, behind("tags", "group_id")),
    "tasks#mark_as_done": needs(Ability.TASK_UPDATE, task),
    "tasks#mark_as_not_done": needs(Ability.TASK_UPDATE, task),
}
"""Endpoint → what it needs: the first of these whose record the request names."""


@pytest.fixture
async def connection(sample_url: str) -> AsyncIterator[Connection]:
    """The recorded database."""
    connection = await asyncpg.connect(sample_url)
    yield connection
    await connection.close()


async def test_what_was_allowed_is_allowed_and_what_was_refused_is_refused(
    corpus: Corpus, connection: Connection
) -> None:
    judged: Counter[tuple[str, bool]] = Counter()
    wrong: list[str] = []
    for case in cases(corpus, JUDGES):
        verdict = await judge(corpus, connection, case)
        if verdict is None:
            continue
        judged[case.endpoint, case.is_allowed] += 1
        if verdict is not case.is_allowed:
            wrong.append(f"{case.id}: {'allowed' if case.is_allowed else 'refused'} when it was recorded")
    assert not wrong, "\n".join(wrong)
    assert {endpoint for endpoint, _ in judged} == set(JUDGES)
    assert {answer for _, answer in judged} == {False, True}


async def judge(corpus: Corpus, connection: Connection, case: Case) -> bool | None:
    """What the policies say; None where the request is about nothing that they are asked about."""
    async with asking(corpus, connection, case) as known:
        if known is None:
            return None
        for needed in JUDGES[case.endpoint]:
            records = [(ability, await locate(*known)) for ability, locate in needed]
            if all(record is not None for _, record in records):
                return all(POLICIES.can(ability, record) for ability, record in records)
    return None
