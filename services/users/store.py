# SPDX-License-Identifier: AGPL-3.0-or-later
"""People from the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.kernel import sql
from services.kernel.errors import NotFoundError
from services.kernel.sideload import Source
from services.users.model import Author, Person
from services.users.serializer import AUTHOR

queries = sql.load(__file__)
_authors = queries.many("authors", Author)
_person = queries.one("person", Person)
_id_of_email = queries.values("id_of_email", int)
_id_of_unsubscribe_token = queries.values("id_of_unsubscribe_token", int)
add_version = queries.command("add_version")
"""A step in the history of an account."""
load_group_ids = queries.values("group_ids", int)
"""The unarchived groups that the person `id` is in."""


async def load_authors(db: sql.Executor, ids: Sequence[int]) -> Mapping[int, Author]:
    """People by id."""
    return {person.id: person for person in await _authors(db, ids=ids)}


async def load_person(db: sql.Executor, id: int) -> Person:  # noqa: A002 (what it is called everywhere)
    """Somebody who is known to be there."""
    person = await _person(db, id=id)
    if person is None:
        raise NotFoundError("User")
    return person


async def load_person_of_email(db: sql.Executor, email: str | None) -> Person | None:
    """Whose address this is; capitals make no difference."""
    found = [] if email is None else await _id_of_email(db, email=email)
    return await _person(db, id=found[0]) if found else None


async def find_unsubscriber(db: sql.Executor, token: str) -> int:
    """Whose mails carry this token. Raises `NotFoundError`."""
    found = await _id_of_unsubscribe_token(db, token=token)
    if not found:
        raise NotFoundError("User")
    return found[0]


AUTHORS = Source(AUTHOR, load_authors)
"""Where the edge `author` leads."""
