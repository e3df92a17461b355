# SPDX-License-Identifier: AGPL-3.0-or-later
"""The response builder makes of recorded rows the answers that were recorded.

The rows of every recorded answer stand for the database: shapes say what leads where (facts of Loomio's
serializers), `gather` and `render` start at the primary rows, and must come to the roots that were recorded:
the same names, the same records, the same ids in the rows. What is lost in recordings are rows that the
primary ones replaced under their own root; what these led to is in the answer, and can't be reached here.
"""

from __future__ import annotations

import itertools
import urllib.parse
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from contracts.corpus import Corpus
from services.kernel.files import StoredFiles
from services.kernel.params import Params
from services.kernel.sideload import (
    AnyEdge,
    Edge,
    Edges,
    Gathered,
    Scope,
    Shape,
    Source,
    fields,
    gather,
    render,
)
from services.kernel.sql import Executor, Statement
from tests.factories import NOW


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row of an answer. Where an edge of several kinds leads, it says in one value."""

    told: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        """A column; null where the row has none."""
        if (stem := name.removesuffix("_type")) != name and isinstance(self.told.get(stem), Mapping):
            return CLASSES[self.told[stem]["type"]]
        if (stem := name.removesuffix("_id")) != name and isinstance(self.told.get(stem), Mapping):
            return self.told[stem]["id"]
        return self.told.get(name)


def there(key: str) -> Callable[[Any, Scope], bool]:
    """For edges that depend on columns nobody tells: whether the row was recorded with it."""
    return lambda row, _scope: key in row.told


def sometimes(key: str, target: str, *unless: str) -> Edge:
    return Edge(key, target, unless, when=there(key))


def is_filled(key: str) -> Callable[[Any, Scope], bool]:
    """For attributes that are edges only where they are no null."""
    return lambda row, _scope: getattr(row, key) is not None


FIXED = {
    "groups#token": "membership user",
    "stances#index": "group discussion",
    "stances#my_stances": "group discussion",
}
"""What these endpoints exclude, whatever the request says."""

CLASSES = {
    "comment": "Comment",
    "discussion": "Discussion",
    "group": "Group",
    "membership": "Membership",
    "outcome": "Outcome",
    "poll": "Poll",
    "reaction": "Reaction",
    "stance": "Stance",
}
KINDS = {kind: f"{name}s" for name, kind in CLASSES.items()}

ID = fields("id")
AUTHOR = Edge("author_id", "users", ("user", "author"))
GROUP = Shape(
    "groups",
    ID,
    (
        Edge("parent_id", "parent_groups", ("parent",)),
        Edge("current_user_membership_id", "memberships", ("membership",)),
        Edges("tag_ids", "tags", ("tag",), when=there("tag_ids")),
    ),
)
EVENT = Shape(
    "events",
    ID,
    (
        Edge("actor_id", "users", ("user",)),
        AnyEdge("eventable", KINDS, when=there("eventable")),
        Edge("discussion_id", "discussions", ("discussion",)),
        Edge("parent_id", "parent_events", ("parent",)),
        sometimes("source_group_id", "groups", "group"),
    ),
)
SHAPES = {
    "comments": Shape("comments", ID, (AUTHOR, Edge("discussion_id", "discussions", ("discussion",)))),
    "discussion_readers": Shape("discussion_readers", ID, (Edge("user_id", "users", ("user",)),)),
    "discussions": Shape(
        "discussions",
        ID,
        (
            AUTHOR,
            Edge("group_id", "groups", ("group",), when=is_filled("group_id")),
            Edges("active_poll_ids", "polls", ("poll",)),
            Edge("created_event_id", "events", ("event",)),
            Edge("forked_event_id", "events", ("event",)),
            Edge("closer_id", "users", when=is_filled("closer_id")),
        ),
    ),
    "events": EVENT,
    "groups": GROUP,
    "memberships": Shape(
        "memberships",
        ID,
        (
            Edge("group_id", "groups", ("group",)),
            Edge("user_id", "users", ("user",)),
            Edge("inviter_id", "users", ("user", "inviter")),
        ),
    ),
    "notifications": Shape("notifications", ID, (Edge("actor_id", "users", ("user",)),)),
    "outcomes": Shape("outcomes", ID, (AUTHOR, Edge("poll_id", "polls", ("poll",)))),
    "parent_events": EVENT.under("parent_events"),
    "parent_groups": GROUP.under("parent_groups"),
    "poll_options": Shape("poll_options", ID),
    "polls": Shape(
        "polls",
        ID,
        (
            Edge("discussion_id", "discussions", ("discussion",)),
            Edge("created_event_id", "events", ("event",)),
            Edge("group_id", "groups", ("group",), when=is_filled("group_id")),
            AUTHOR,
            Edge("current_outcome_id", "outcomes", ("outcome",)),
            sometimes("my_stance_id", "stances"),
            Edges("poll_option_ids", "poll_options", ("poll_option",)),
        ),
    ),
    "reactions": Shape("reactions", ID, (Edge("user_id", "users", ("user",)),)),
    "stances": Shape(
        "stances",
        ID,
        (
            Edge("poll_id", "polls", ("poll",)),
            Edge("participant_id", "users", ("user", "author")),
        ),
    ),
    "tags": Shape("tags", ID),
    "tasks": Shape("tasks", ID, (AnyEdge("record_obj", KINDS), AUTHOR)),
    "users": Shape("users", ID),
}


class Nothing:
    """A database that is never asked: the answer has it all."""

    async def fetch(self, statement: Statement, arguments: list[Any]) -> list[Any]:
        """Fail."""
        raise AssertionError(statement, arguments)


def load_from(rows: Sequence[Mapping[str, Any]]) -> Callable[..., Awaitable[Mapping[int, Any]]]:
    by_id = {row["id"]: Recorded(row) for row in rows}

    async def load(_db: Executor, ids: Sequence[int]) -> Mapping[int, Any]:
        return {key: by_id[key] for key in ids if key in by_id}

    return load


@dataclass(frozen=True, slots=True)
class Case:
    """A recorded answer that is built anew."""

    endpoint: str
    path: str
    body: dict[str, Any]

    @property
    def root(self) -> str:
        return str(self.body["meta"]["root"])

    @property
    def roots(self) -> dict[str, Any]:
        return {name: rows for name, rows in self.body.items() if name != "meta"}

    @property
    def excluded(self) -> frozenset[str]:
        if (fixed := FIXED.get(self.endpoint)) is not None:
            return frozenset(fixed.split())
        return Params(urllib.parse.urlsplit(self.path).query).words("exclude_types")

    async def build(self) -> tuple[Gathered, dict[str, list[dict[str, Any]]]]:
        scope = Scope(None, "en", StoredFiles("secret"), NOW, self.excluded)
        catalogue = {
            name: Source(shape, load_from(self.body.get(name, []))) for name, shape in SHAPES.items()
        }
        rows = [Recorded(row) for row in self.body[self.root]]
        gathered = await gather(Nothing(), catalogue, SHAPES[self.root], rows, scope)
        return gathered, render(catalogue, SHAPES[self.root], rows, gathered, scope)

    def replaced(self, gathered: Gathered) -> set[int]:
        """The rows that the primary ones replaced."""
        return {key for key, row in gathered.rows.get(self.root, {}).items() if row is None}

    async def differences(self) -> Iterator[str]:
        """What is not as it was recorded."""
        gathered, built = await self.build()
        if built.keys() != self.roots.keys():
            return iter([f"roots {sorted(built.keys() ^ self.roots.keys())}"])
        replaced = self.replaced(gathered)
        return itertools.chain.from_iterable(
            rows_that_differ(name, rows, self.body[name], replaced if name != self.root else set())
            for name, rows in built.items()
        )


def rows_that_differ(
    name: str, built: list[dict[str, Any]], recorded: list[dict[str, Any]], replaced: set[int]
) -> Iterator[str]:
    """`replaced` rows may have led to more than can be reached."""
    ids, recorded_ids = {row["id"] for row in built}, {row["id"] for row in recorded}
    if ids != recorded_ids and not (replaced and ids < recorded_ids):
        yield f"{name} are others"
    if len(built) != len(ids):
        yield f"{name} are there twice"
    by_id = {row["id"]: row for row in recorded}
    for row in built:
        for key, value in row.items():
            was = by_id[row["id"]][key]
            if value != was and was not in replaced:
                yield f"{name}/{row['id']}/{key} is {value}, was {was}"


def case_of(endpoint: str, path: str, text: bytes) -> Case | None:
    """A case, if the answer has rows of shapes above, with ids."""
    body: Any = msgspec.json.decode(text) if text.startswith(b"{") else {}
    meta = body.get("meta")
    root = meta.get("root") if isinstance(meta, dict) else None
    if root not in SHAPES or not all("id" in row for row in body[root]):
        return None
    return Case(endpoint, path, body)


async def test_recorded_rows_come_to_the_recorded_roots(corpus: Corpus) -> None:
    wrong: list[str] = []
    seen: set[str] = set()
    for read in corpus.reads():
        text = bytes(read.response.body) if read.response.status == 200 else b""
        if (case := case_of(read.endpoint, read.request.path, text)) is not None:
            seen.update(case.roots)
            wrong += [f"{read.actor} {case.path}: {one}" for one in await case.differences()]
    assert not wrong, "\n".join(wrong)
    assert seen == SHAPES.keys()


async def test_roots_stand_in_the_order_in_which_the_other_side_writes_them(corpus: Corpus) -> None:
    """Recordings of documents have no order; those of bytes do."""
    seen: set[str] = set()
    for exchange in corpus.wire():
        text = exchange.response.encode("latin-1").partition(b"\r\n\r\n")[2]
        if exchange.form != "plain":
            continue
        if (case := case_of(exchange.endpoint, exchange.request.split(" ")[1], text)) is not None:
            gathered, built = await case.build()
            if not case.replaced(gathered):
                assert list(built) == list(case.roots), case.path
                seen.update(built)
    assert seen >= {"parent_groups", "parent_events"}


CACHED = {
    "current_user_membership_id": {
        ("discussions", "groups"),
        ("discussions", "parent_groups"),
        ("events", "groups"),  # and not those above: parents of events' groups are in nobody's cache
        ("groups", "groups"),
        ("groups", "parent_groups"),
    },
    "current_outcome_id": {("events", "polls"), ("polls", "polls"), ("stances", "polls")},
}
"""What is null but in these collections, under these roots: what sources have to find, and for which answers."""


def test_some_edges_are_told_in_some_collections_alone(corpus: Corpus) -> None:
    filled: dict[str, set[tuple[str, str]]] = {key: set() for key in CACHED}
    for read in corpus.reads():
        text = bytes(read.response.body) if read.response.status == 200 else b""
        if (case := case_of(read.endpoint, read.request.path, text)) is None:
            continue
        for name, rows in case.roots.items():
            for key, places in filled.items():
                if any(row.get(key) is not None for row in rows):
                    places.add((case.root, name))
    assert filled == CACHED
