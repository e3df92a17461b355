# SPDX-License-Identifier: AGPL-3.0-or-later
"""People from the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.kernel import sql
from services.kernel.actor import Actor
from services.kernel.errors import NotFoundError
from services.kernel.params import known_ids
from services.kernel.sideload import Source
from services.users.model import Author, ContactFacts, Person, UserFacts
from services.users.serializer import AUTHOR, USER

queries = sql.load(__file__)
_authors = queries.many("authors", Author)
_persons = queries.many("persons", Person)
_id_of_email = queries.values("id_of_email", int)
_id_without_email = queries.values("id_without_email", int)
_id_of_unsubscribe_token = queries.values("id_of_unsubscribe_token", int)
_facts = queries.many("user_facts", UserFacts)
_contact_facts = queries.many("contact_facts", ContactFacts)
add_version = queries.command("add_version")
"""A step in the history of an account."""
load_group_ids = queries.values("group_ids", int)
"""The unarchived groups that the person `id` is in."""


async def load_authors(db: sql.Executor, ids: Sequence[int]) -> Mapping[int, Author]:
    """People by id."""
    return {person.id: person for person in await _authors(db, ids=ids)}


async def load_persons(db: sql.Executor, ids: Sequence[int]) -> Mapping[int, Person]:
    """People by id, with all that they see of themselves."""
    return {person.id: person for person in await _persons(db, ids=ids)}


async def load_person(db: sql.Executor, id: int) -> Person:  # noqa: A002 (what it is called everywhere)
    """Somebody who is known to be there."""
    persons = await load_persons(db, [id])
    if id not in persons:
        raise NotFoundError("User")
    return persons[id]


async def load_person_of_email(db: sql.Executor, email: str | None) -> Person | None:
    """Whose address this is; capitals make no difference."""
    found = [] if email is None else await _id_of_email(db, email=email)
    return (await load_persons(db, found)).get(found[0]) if found else None


async def load_erased_person(db: sql.Executor) -> Person | None:
    """The first account that was erased."""
    found = await _id_without_email(db)
    return (await load_persons(db, found)).get(found[0]) if found else None


async def find_unsubscriber(db: sql.Executor, token: str) -> int:
    """Whose mails carry this token. Raises `NotFoundError`."""
    found = await _id_of_unsubscribe_token(db, token=token)
    if not found:
        raise NotFoundError("User")
    return found[0]


async def load_facts(db: sql.Executor, actor: Actor, ids: Sequence[int]) -> dict[int, UserFacts]:
    """What decides what `actor` may do with these accounts; those that are not there are missing."""
    ids = known_ids(ids)
    found = await _facts(db, ids=ids, actor_id=actor.id) if ids else []
    return {one.id: one for one in found}


async def load_contact_facts(db: sql.Executor, actor: Actor, user_id: int) -> ContactFacts:
    """What decides whether `actor` may write to this person."""
    (facts,) = await _contact_facts(db, id=user_id, actor_id=actor.id)
    return facts


SOURCES = {"author": Source(AUTHOR, load_authors), "user": Source(USER, load_persons)}
"""Where edges to people lead: to those who wrote something, and to members."""
