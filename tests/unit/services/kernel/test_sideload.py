# SPDX-License-Identifier: AGPL-3.0-or-later
"""Responses with side-loaded roots: order, once per record, and a query per kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from services.kernel.files import StoredFiles
from services.kernel.sideload import (
    AnyEdge,
    AnyKindOfEdge,
    Edge,
    Edges,
    Field,
    Scope,
    Shape,
    Source,
    fields,
    gather,
    render,
)
from services.kernel.sql import Executor, Statement
from tests.factories import NOW

SCOPE = Scope(1, "en", StoredFiles("secret"), NOW)


@dataclass(frozen=True)
class Node:
    """A row that points to others."""

    id: int
    next_id: int | None = None
    friend_id: int | None = None
    friend_ids: Sequence[int] = ()
    about_type: str | None = None
    about_id: int | None = None


class Nothing:
    """A database that is never asked."""

    async def fetch(self, statement: Statement, arguments: list[Any]) -> list[Any]:
        """Fail."""
        raise AssertionError(statement, arguments)


def source(shape: Shape, rows: Sequence[Node], asked: list[list[int]]) -> Source:
    """A target that notes what is loaded."""

    async def load(_db: Executor, ids: Sequence[int]) -> Mapping[int, Any]:
        asked.append(sorted(ids))
        return {row.id: row for row in rows if row.id in ids}

    return Source(shape, load)


def shape(root: str, *edges: AnyKindOfEdge) -> Shape:
    return Shape(root, fields("id"), edges)


async def answer(
    catalogue: Mapping[str, Source], primary: Shape, rows: Sequence[Node], scope: Scope = SCOPE
) -> Any:
    return render(catalogue, primary, rows, await gather(Nothing(), catalogue, primary, rows, scope), scope)


async def test_records_are_told_once_in_the_order_they_are_reached() -> None:
    asked: list[list[int]] = []
    people = source(shape("people"), [Node(1), Node(2)], asked)
    primary = shape("things", Edge("friend_id", "person"))
    told = await answer(
        {"person": people}, primary, [Node(9, friend_id=2), Node(8, friend_id=1), Node(7, friend_id=2)]
    )
    assert list(told) == ["people", "things"]
    assert told["people"] == [{"id": 2}, {"id": 1}]
    assert told["things"] == [{"id": 9, "friend_id": 2}, {"id": 8, "friend_id": 1}, {"id": 7, "friend_id": 2}]
    assert asked == [[1, 2]]


async def test_what_is_missing_is_null_and_its_root_is_there() -> None:
    people = source(shape("people"), [], [])
    primary = shape("things", Edge("friend_id", "person"))
    told = await answer({"person": people}, primary, [Node(1, friend_id=5), Node(2)])
    assert told == {"people": [], "things": [{"id": 1, "friend_id": None}, {"id": 2, "friend_id": None}]}
    assert await answer({"person": people}, primary, []) == {"things": []}


async def test_chains_and_circles_take_a_query_per_level() -> None:
    asked: list[list[int]] = []
    ring = shape("parents", Edge("next_id", "node"))
    nodes = source(ring, [Node(1, 2), Node(2, 3), Node(3, 1)], asked)
    told = await answer({"node": nodes}, shape("things", Edge("next_id", "node")), [Node(9, 1), Node(8, 2)])
    assert asked == [[1, 2], [3]]
    assert sorted(row["id"] for row in told["parents"]) == [1, 2, 3]
    assert told["parents"][-1] == {"id": 1, "next_id": 2}  # told when all it leads to is


async def test_the_primary_rows_replace_what_was_side_loaded_under_their_root() -> None:
    nodes = source(shape("things"), [Node(5)], [])
    told = await answer({"node": nodes}, shape("things", Edge("next_id", "node")), [Node(1, 5)])
    assert told == {"things": [{"id": 1, "next_id": 5}]}


async def test_primary_rows_are_not_loaded_again() -> None:
    asked: list[list[int]] = []
    thing = shape("things", Edge("next_id", "thing"))
    told = await answer({"thing": source(thing, [Node(3)], asked)}, thing, [Node(1, 2), Node(2, 3)])
    assert told == {"things": [{"id": 1, "next_id": 2}, {"id": 2, "next_id": 3}]}
    assert asked == [[3]]


async def test_the_first_shape_that_reaches_a_record_stays() -> None:
    short = source(Shape("people", fields("id")), [Node(1)], [])
    long = source(Shape("people", (*fields("id"), Field("more", lambda _row, _scope: True))), [Node(1)], [])
    primary = shape("things", Edge("friend_id", "short"), Edge("next_id", "long"))
    told = await answer({"short": short, "long": long}, primary, [Node(9, next_id=1, friend_id=1)])
    assert told["people"] == [{"id": 1}]


async def test_what_is_excluded_is_neither_told_nor_loaded() -> None:
    asked: list[list[int]] = []
    people = source(shape("people"), [Node(1)], asked)
    primary = shape("things", Edge("friend_id", "person", unless=("user", "author")))
    scope = replace(SCOPE, excluded=frozenset({"author"}))
    assert await answer({"person": people}, primary, [Node(9, friend_id=1)], scope) == {"things": [{"id": 9}]}
    assert asked == []


async def test_parents_of_its_own_kind_go_under_a_root_of_their_own() -> None:
    """A parent is told under `parent_things` whoever points there; what the primary rows hide is told all the same."""
    asked: list[list[int]] = []
    thing = shape("things", Edge("next_id", "parent"), Edge("friend_id", "person"))
    rows = [Node(1), Node(2, next_id=1, friend_id=7), Node(3, next_id=2)]
    things = source(thing, rows, asked)
    parents = Source(thing.under("parent_things"), things.load)
    people = source(shape("people", Edge("next_id", "thing")), [Node(7, next_id=3)], [])
    told = await answer({"thing": things, "parent": parents, "person": people}, thing, [rows[2], rows[1]])
    assert list(told) == ["parent_things", "people", "things"]
    assert [row["id"] for row in told["parent_things"]] == [1, 2]
    assert [row["id"] for row in told["things"]] == [3, 2]
    assert told["parent_things"][1] == {"id": 2, "next_id": 1, "friend_id": 7}
    assert asked == [[1]]  # for both roots; the primary rows are there already


async def test_lists_of_ids_tell_those_that_are_there_in_their_order() -> None:
    asked: list[list[int]] = []
    people = source(shape("people"), [Node(1), Node(2), Node(3)], asked)
    primary = shape("things", Edges("friend_ids", "person", unless=("friend",)))
    rows = [Node(9, friend_ids=[3, 4, 1]), Node(8), Node(7, friend_ids=[1, 2])]
    told = await answer({"person": people}, primary, rows)
    assert [row["friend_ids"] for row in told["things"]] == [[3, 1], [], [1, 2]]
    assert [row["id"] for row in told["people"]] == [3, 1, 2]
    assert asked == [[1, 2, 3, 4]]
    without = await answer({"person": people}, primary, rows, replace(SCOPE, excluded=frozenset({"friend"})))
    assert without == {"things": [{"id": 9}, {"id": 8}, {"id": 7}]}


async def test_records_of_any_kind_are_told_by_kind_and_id() -> None:
    asked: list[list[int]] = []
    catalogue = {
        "option": source(shape("poll_options"), [Node(1)], asked),
        "poll": source(shape("polls"), [Node(1)], asked),
    }
    primary = shape("things", AnyEdge("about", {"PollOption": "option", "Poll": "poll"}))
    rows = [
        Node(9, about_type="PollOption", about_id=1),
        Node(8, about_type="Poll", about_id=5),
        Node(7),
    ]
    told = await answer(catalogue, primary, rows)
    assert [row["about"] for row in told["things"]] == [{"type": "poll_option", "id": 1}, None, None]
    assert told["poll_options"] == [{"id": 1}]
    assert "polls" not in told  # nothing of that kind was there
    assert asked == [[1], [5]]


async def test_edges_have_conditions() -> None:
    asked: list[list[int]] = []
    people = source(shape("people"), [Node(1), Node(2)], asked)
    mine = Edge("friend_id", "person", when=lambda row, scope: row.id == scope.actor_id)
    told = await answer(
        {"person": people}, shape("things", mine), [Node(1, friend_id=2), Node(5, friend_id=1)]
    )
    assert told == {"people": [{"id": 2}], "things": [{"id": 1, "friend_id": 2}, {"id": 5}]}
    assert asked == [[2]]


async def test_fields_have_conditions_and_moments_are_told_as_rails_tells_them() -> None:
    moment = datetime(2031, 5, 1, 2, 3, 4, 567_999)  # noqa: DTZ001 - as columns have it
    primary = Shape(
        "things",
        (
            Field("at", lambda _row, _scope: moment),
            Field("on", lambda _row, _scope: date(2031, 5, 1)),
            Field("mine", lambda _row, _scope: True, when=lambda row, scope: row.id == scope.actor_id),
        ),
    )
    told = await answer({}, primary, [Node(1), Node(2)])
    assert told["things"][0] == {"at": "2031-05-01T02:03:04.567Z", "on": "2031-05-01", "mine": True}
    assert "mine" not in told["things"][1]
