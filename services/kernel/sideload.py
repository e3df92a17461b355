# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rows in declared shapes → Loomio's responses with side-loaded roots.

Loomio answers `{side roots …, root: [rows], "meta": {…}}`: what a row points to is added under its own
root, once per record, and so on from there (active_model_serializers 0.8.4, `embed :ids, include: true`).

    REACTION = Shape("reactions", fields("id", "reaction"), (Edge("user_id", "author", ("user",)),))

A `Shape` says which fields a row has and which edges leave it. An `Edge` names its target; a `Source` (the
shape of the target and how to load it) is looked up by that name, so that a shape may point to verticals
above its own.

Two steps: `gather` follows the edges from level to level, one query per kind of record and level; `render`
is pure and walks rows and edges in declared order, which decides the order of the roots and, where a record
is reached twice, the shape that stays (the first). The primary rows replace what was side-loaded under
their own root.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from services.kernel.clock import rails_time
from services.kernel.files import StoredFiles
from services.kernel.sql import Executor


@dataclass(frozen=True, slots=True)
class Scope:
    """What fields and edges may depend on, beside the row."""

    actor_id: int | None
    locale: str
    files: StoredFiles
    excluded: frozenset[str] = frozenset()
    """Kinds of records that the request does not want (`exclude_types`)."""


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a row. `when` is asked first; the key is absent where it says no."""

    name: str
    value: Callable[[Any, Scope], Any]
    when: Callable[[Any, Scope], bool] | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """One pointer of a row. Its key holds the target's id, null where there is no such record."""

    key: str
    target: str
    unless: tuple[str, ...] = ()
    """The kinds whose exclusion drops this edge, key and root."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How rows of one kind are told."""

    root: str
    fields: tuple[Field, ...]
    edges: tuple[Edge, ...] = ()


def _attribute(name: str) -> Callable[[Any, Scope], Any]:
    return lambda row, _scope: getattr(row, name)


def fields(*names: str) -> tuple[Field, ...]:
    """Fields that are told as the row has them."""
    return tuple(Field(name, _attribute(name)) for name in names)


Load = Callable[[Executor, Sequence[int]], Awaitable[Mapping[int, Any]]]
"""Loads rows by id; ids without a row are missing in the answer."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where an edge leads: the shape there, and how to load its rows."""

    shape: Shape
    load: Load


Catalogue = Mapping[str, Source]
"""Targets by name."""


@dataclass(slots=True)
class Gathered:
    """Rows that edges lead to, by target and id."""

    rows: dict[str, dict[int, Any]] = field(default_factory=dict)

    def find(self, target: str, key: int | None) -> Any | None:
        """The row, if there is one."""
        return None if key is None else self.rows.get(target, {}).get(key)


def _edges(shape: Shape, scope: Scope) -> Iterable[Edge]:
    return (edge for edge in shape.edges if scope.excluded.isdisjoint(edge.unless))


async def gather(
    db: Executor, catalogue: Catalogue, shape: Shape, rows: Sequence[Any], scope: Scope
) -> Gathered:
    """Load what `rows` lead to, directly and further on."""
    gathered = Gathered()
    asked: dict[str, set[int]] = {}
    level: list[tuple[Shape, Sequence[Any]]] = [(shape, rows)]
    while level:
        wanted: dict[str, list[int]] = {}
        for from_shape, from_rows in level:
            for edge in _edges(from_shape, scope):
                known = asked.setdefault(edge.target, set())
                keys = (getattr(row, edge.key) for row in from_rows)
                ids = [key for key in keys if key is not None and key not in known]
                known.update(ids)
                wanted.setdefault(edge.target, []).extend(dict.fromkeys(ids))
        level = []
        for target, ids in wanted.items():
            if ids:
                source = catalogue[target]
                found = await source.load(db, ids)
                gathered.rows.setdefault(target, {}).update(found)
                level.append((source.shape, list(found.values())))
    return gathered


def render(
    catalogue: Catalogue, shape: Shape, rows: Sequence[Any], gathered: Gathered, scope: Scope
) -> dict[str, list[dict[str, Any]]]:
    """The roots of a response, in Loomio's order."""
    roots: dict[str, list[dict[str, Any]]] = {}
    told: dict[str, set[int]] = {}

    def tell(row: Any, shape: Shape) -> dict[str, Any]:
        node = {
            one.name: _plain(one.value(row, scope))
            for one in shape.fields
            if one.when is None or one.when(row, scope)
        }
        for edge in _edges(shape, scope):
            source = catalogue[edge.target]
            target = gathered.find(edge.target, getattr(row, edge.key))
            node[edge.key] = None if target is None else target.id
            root = roots.setdefault(source.shape.root, [])
            already = told.setdefault(source.shape.root, set())
            if target is not None and target.id not in already:
                already.add(target.id)
                root.append(tell(target, source.shape))
        return node

    primary = [tell(row, shape) for row in rows]
    roots[shape.root] = primary
    return roots


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return rails_time(value)
    if isinstance(value, date):
        return value.isoformat()
    return value
