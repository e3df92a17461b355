# SPDX-License-Identifier: AGPL-3.0-or-later
"""People from the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.kernel import sql
from services.kernel.sideload import Source
from services.users.model import Author
from services.users.serializer import AUTHOR

queries = sql.load(__file__)
_authors = queries.many("authors", Author)


async def load_authors(db: sql.Executor, ids: Sequence[int]) -> Mapping[int, Author]:
    """People by id."""
    return {person.id: person for person in await _authors(db, ids=ids)}


AUTHORS = Source(AUTHOR, load_authors)
"""Where the edge `author` leads."""
