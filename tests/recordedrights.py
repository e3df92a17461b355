# SPDX-License-Identifier: AGPL-3.0-or-later
"""Recorded requests as questions about rights: who asked, about which record, and whether it was allowed.

`cases` reads them from a corpus, `asking` puts the recorded database into the state in which each was asked, and
`Facts` loads what decides, as a vertical would.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from contracts.corpus import ANONYMOUS, Corpus, ReadRequest, Response, WriteRequest
from services.comments import store as comments
from services.discussions import store as discussions
from services.groups import store as groups
from services.kernel import sql
from services.kernel.actor import Account, Actor, Tokens
from services.kernel.columns import Connection
from services.polls import store as polls
from services.users import store as users

_NOW = re.compile(r"\bnow\(\)")
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


def cases(corpus: Corpus, endpoints: Container[str]) -> Iterator[Case]:
    """What was recorded of these endpoints and tells of rights; of sequences the beginning."""
    for read in corpus.reads():
        if read.endpoint in endpoints and (allowed := was_allowed(read.response)) is not None:
            yield Case(read.id, read.endpoint, read.actor, read.request, allowed, read.date)
    for write in corpus.writes():
        step = write.steps[0]
        if write.endpoint in endpoints and (allowed := was_allowed(step.response)) is not None:
            yield Case(write.id, write.endpoint, step.actor, step.request, allowed, write.date, write.setup)


def was_allowed(response: Response) -> bool | None:
    """Whether the actor's rights were enough; None where the answer does not tell. What is said is looked at later."""
    if response.status in (200, 422):
        return True
    if response.status == 403 and response.parsed_body().get("exception") == "CanCan::AccessDenied":
        return False
    return None


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

    async def column(self, table: str, column: str, key: str) -> Any:
        return await self.connection.fetchval(f'SELECT "{column}" FROM "{table}" WHERE id = {int(key)}')

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
        keys = [int(name)] if name.isdigit() else []
        return next(iter((await users.load_facts(self, self.actor, keys)).values()), None)

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
        key = await facts.column(table, column, asked.name)
        return None if key is None else await getattr(facts, column.removesuffix("_id"))(str(key))

    return locate


@asynccontextmanager
async def asking(
    corpus: Corpus, connection: Connection, case: Case
) -> AsyncIterator[tuple[Facts, Asked] | None]:
    """The database as it was when this was asked, and back; None where it is not known who asked."""
    request = asked(case.request)
    transaction = connection.transaction()
    await transaction.start()
    try:
        for statement in case.setup:
            await connection.execute(_NOW.sub(f"'{case.date.isoformat()}'::timestamptz", statement))
        actor = await actor_of(corpus, connection, case.actor, request.said)
        now = case.date.astimezone(UTC).replace(tzinfo=None)
        yield None if actor is None else (Facts(connection, actor, now), request)
    finally:
        await transaction.rollback()


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
    return await signed_in(connection, corpus.world.actors[name].id)


async def signed_in(connection: Connection, user_id: int) -> Actor | None:
    """This person, signed in; None where there is no such account."""
    columns = ", ".join(Account.__struct_fields__)
    row = await connection.fetchrow(f"SELECT {columns} FROM users WHERE id = $1", user_id)
    return None if row is None else Actor(Account(**row))
