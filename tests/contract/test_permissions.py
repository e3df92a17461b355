# SPDX-License-Identifier: AGPL-3.0-or-later
"""Policies allow what the recorded application allowed, and refuse what it refused.

Each recorded request that was answered (200) or refused (403) is asked again of the policies alone: what decides is
loaded from the recorded database, after what the recorder changed there for the case.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import asyncpg
import msgspec
import pytest

from contracts.corpus import ANONYMOUS, Corpus, ReadRequest, Response, WriteRequest
from services.app.abilities import POLICIES
from services.comments import store as comments
from services.discussions import store as discussions
from services.discussions.model import DiscussionFacts, NewDiscussionFacts
from services.groups import store as groups
from services.groups.model import GroupFacts, NewGroupFacts
from services.kernel import sql
from services.kernel.abilities import Ability
from services.kernel.actor import Account, Actor, Tokens
from services.kernel.columns import Connection
from services.polls import store as polls
from services.polls.model import NewPollFacts
from services.reactions.model import ReactionFacts
from services.users import store as users


@dataclass(frozen=True, slots=True)
class Asked:
    """A recorded request: the element of its path that names a record, and what it says, nested or not."""

    name: str
    said: Mapping[str, Any]

    def of(self, kind: str) -> str | None:
        """What names a record of this kind, by id or key."""
        found = self.said.get(f"{kind}_id", self.said.get(f"{kind}_key"))
        return None if found is None else str(found)


def asked(request: ReadRequest) -> Asked:
    """What a request asks."""
    path, _, query = request.path.partition("?")
    said: dict[str, Any] = dict(parse_qsl(query))
    if isinstance(request, WriteRequest) and request.body:
        body = msgspec.json.decode(request.body)
        for name, value in body.items() if isinstance(body, dict) else ():
            said.update(value if isinstance(value, dict) else {name: value})
    elements = path.removeprefix("/api/v1/").split("/")
    return Asked(elements[1] if len(elements) > 1 else "", said)


@dataclass(frozen=True, slots=True)
class Facts:
    """Loads facts as a vertical would, for one actor at one moment."""

    connection: Connection
    actor: Actor
    now: datetime

    async def fetch(self, statement: sql.Statement, arguments: list[Any]) -> list[Any]:
        return await self.connection.fetch(statement.text, *arguments)

    async def parent(self, table: str, column: str, key: str) -> str:
        return str(await self.connection.fetchval(f'SELECT "{column}" FROM "{table}" WHERE id = {int(key)}'))

    async def group(self, name: str) -> object:
        return await groups.find(self, self.actor, name, None, self.now)

    async def discussion(self, name: str) -> object:
        return await discussions.find(self, self.actor, name)

    async def comment(self, name: str) -> object:
        return (await comments.load_facts(self, self.actor, [int(name)])).get(int(name))

    async def reader(self, name: str) -> object:
        return (await discussions.load_reader_facts(self, self.actor, [int(name)])).get(int(name))

    async def poll(self, name: str) -> object:
        return await polls.find(self, self.actor, name, self.now)

    async def stance(self, name: str) -> object:
        return (await polls.load_stance_facts(self, self.actor, [int(name)], self.now)).get(int(name))

    async def user(self, name: str) -> object:
        return (
            (await users.load_facts(self, self.actor, [int(name)])).get(int(name)) if name.isdigit() else None
        )

    async def contact(self, name: str) -> object:
        return await users.load_contact_facts(self, self.actor, int(name))

    async def membership(self, name: str) -> object:
        return (await groups.load_membership_facts(self, self.actor, [int(name)])).get(int(name))


Locate = Callable[[Facts, Asked], Awaitable[object]]
"""Loads what decides about a request; None where it is about no such record."""


def named(kind: str) -> Locate:
    """The record that the path names."""

    async def locate(facts: Facts, asked: Asked) -> object:
        return await getattr(facts, kind)(asked.name)

    return locate


def said(kind: str) -> Locate:
    """The record that a parameter names."""

    async def locate(facts: Facts, asked: Asked) -> object:
        name = asked.of(kind)
        return None if name is None else await getattr(facts, kind)(name)

    return locate


def behind(table: str, column: str) -> Locate:
    """The group, thread or poll that the record in the path belongs to."""

    async def locate(facts: Facts, asked: Asked) -> object:
        return await getattr(facts, column.removesuffix("_id"))(await facts.parent(table, column, asked.name))

    return locate


async def edit_of_thread(facts: Facts, asked: Asked) -> object:
    """The thread of an event that tells of its change; no other can be taken out of one."""
    if await facts.parent("events", "kind", asked.name) != "discussion_edited":
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
        group = await facts.group(await facts.parent("discussions", "group_id", str(thread.id)))
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
    """A reaction to a thread, comment or poll."""
    kind = str(asked.said.get("reactable_type")).lower()
    if kind not in ("comment", "discussion", "poll"):
        return None
    record = await getattr(facts, kind)(str(asked.said["reactable_id"]))
    return ReactionFacts(
        am_author=False,
        am_signed_in=facts.actor.id is not None,
        may_show_record=record is not None and POLICIES.can(Ability(f"{kind}.show"), record),
    )


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
    "documents#for_discussion": THREAD_SHOWN,
    "documents#for_group": needs(Ability.GROUP_SHOW, said("group")),
    "documents#index": TARGET_SHOWN,
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
    "stances#create": needs(Ability.STANCE_CREATE, said("poll")),
    "stances#index": POLL_SHOWN,
    "stances#uncast": needs(Ability.STANCE_UNCAST, named("stance")),
    "stances#update": needs(Ability.STANCE_UPDATE, named("stance")),
    "stances#users": POLL_SHOWN,
    "tags#create": needs(Ability.TAG_CREATE, said("group")),
    "tags#destroy": needs(Ability.TAG_DESTROY, behind("tags", "group_id")),
    "tags#priority": needs(Ability.GROUP_UPDATE, said("group")),
    "tags#update": needs(Ability.TAG_UPDATE, behind("tags", "group_id")),
}
"""Endpoint → what it needs: the first of these whose record the request names."""

NOW = re.compile(r"\bnow\(\)")
"""What the recorder changes before a case speaks of the moment at which the case was recorded."""


@dataclass(frozen=True, slots=True)
class Case:
    """A recorded request and whether it was allowed, with what was changed before it."""

    id: str
    endpoint: str
    actor: str
    request: ReadRequest
    is_allowed: bool
    date: datetime
    setup: tuple[str, ...] = ()


def cases(corpus: Corpus) -> Iterator[Case]:
    """What was recorded of these endpoints; of sequences the beginning."""
    for read in corpus.reads():
        if read.endpoint in JUDGES and is_judged(read.response):
            yield Case(
                read.id, read.endpoint, read.actor, read.request, read.response.status == 200, read.date
            )
    for write in corpus.writes():
        step = write.steps[0]
        if write.endpoint in JUDGES and is_judged(step.response):
            is_allowed = step.response.status == 200
            yield Case(
                write.id, write.endpoint, step.actor, step.request, is_allowed, write.date, write.setup
            )


def is_judged(response: Response) -> bool:
    """Whether it tells of the actor's rights: done, or refused because they were not enough."""
    return response.status == 200 or (
        response.status == 403 and response.parsed_body().get("exception") == "CanCan::AccessDenied"
    )


async def actor_of(
    corpus: Corpus, connection: Connection, name: str, said: Mapping[str, Any]
) -> Actor | None:
    """Who asked; None for those who are not in the data set, or whom a mail's link speaks for."""
    if "unsubscribe_token" in said:
        return None
    if name == ANONYMOUS:
        kinds = ("discussion_reader", "stance", "group", "membership")
        return Actor(None, Tokens(**{kind: said.get(f"{kind}_token") for kind in kinds}))
    if name not in corpus.world.actors:
        return None
    columns = ", ".join(Account.__struct_fields__)
    row = await connection.fetchrow(
        f"SELECT {columns} FROM users WHERE id = $1", corpus.world.actors[name].id
    )
    return None if row is None else Actor(Account(**row))


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
    for case in cases(corpus):
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
    request = asked(case.request)
    if (actor := await actor_of(corpus, connection, case.actor, request.said)) is None:
        return None
    facts = Facts(connection, actor, case.date.astimezone(UTC).replace(tzinfo=None))
    transaction = connection.transaction()
    await transaction.start()
    try:
        for statement in case.setup:
            await connection.execute(NOW.sub(f"'{case.date.isoformat()}'::timestamptz", statement))
        for needed in JUDGES[case.endpoint]:
            records = [(ability, await locate(facts, request)) for ability, locate in needed]
            if all(record is not None for _, record in records):
                return all(POLICIES.can(ability, record) for ability, record in records)
        return None
    finally:
        await transaction.rollback()
