# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rows in declared shapes → Loomio's responses with side-loaded roots.

Loomio answers `{side roots …, root: [rows], "meta": {…}}`: what a row points to is added under its own
root, once per record, and so on from there (active_model_serializers 0.8.4, `embed :ids, include: true`).

    REACTION = Shape("reactions", fields("id", "reaction"), (Edge("user_id", "author", ("user",)),))

A `Shape` says which fields a row has and which edges leave it: `Edge` to one record, `Edges` to a list of
them, `AnyEdge` to a record whose kind stands in the row. What an edge leads to must be in the row, as ids:
"my membership in this group" or "the tags of this group" are columns that the statement finds.

An edge names its target; a `Source` (the shape of the target and how to load it) is looked up by that name,
so that a shape may point to verticals above its own. Two targets may be the same rows under two roots
(`groups` and `parent_groups`: `Shape.under`); they share what they load.

What Loomio tells only where its record cache holds it (the viewer's memberships, the latest outcome …) is
decided by the response's collection. Here it is the source that decides: a handler whose collection fills
the cache gives `respond` sources of its own, which find these columns; the catalogue's leave them null.

Two steps: `gather` follows the edges from level to level, one query per kind of record and level; `render`
is pure and walks rows and edges in declared order, which decides the order of the roots and, where a record
is reached twice, the shape that stays (the first). The primary rows replace what was side-loaded under
their own root, but not what those led to.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, TypeAlias

from services.kernel.clock import rails_time
from services.kernel.files import StoredFiles
from services.kernel.sql import Executor
from services.kernel.texts import OURS_ALONE, Texts


@dataclass(frozen=True, slots=True)
class Scope:
    """What fields and edges may depend on, beside the row."""

    actor_id: int | None
    locale: str
    files: StoredFiles
    now: datetime
    """The moment, as columns have it."""
    excluded: frozenset[str] = frozenset()
    """Kinds of records that the request does not want (`exclude_types`)."""
    tells_addresses: bool = False
    """Whether everybody's address is told, beside one's own: to those who look after a group's members."""
    texts: Texts = OURS_ALONE
    """What stands in for what people did not say."""

    def say(self, key: str, **values: str) -> str:
        """A text for whoever sees the rows."""
        return self.texts.say(key, self.locale, **values)


When = Callable[[Any, Scope], bool]
"""Asks a row whether it has a field, or an edge."""


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a row. `when` is asked first; the key is absent where it says no."""

    name: str
    value: Callable[[Any, Scope], Any]
    when: When | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """One pointer of a row: the attribute `key` holds the target's id, or null. Told the same, where there is such
    a record; else null.
    """

    key: str
    target: str
    unless: tuple[str, ...] = ()
    """The kinds whose exclusion drops this edge, key and root."""
    when: When | None = None
    """Drops the edge from rows it says no to."""

    @property
    def targets(self) -> tuple[str, ...]:
        """Those whose roots are there, however little they hold."""
        return (self.target,)

    def leads(self, row: Any) -> list[tuple[str, int]]:
        """Targets and ids."""
        key = getattr(row, self.key)
        return [] if key is None else [(self.target, key)]

    def told(self, _row: Any, found: Sequence[Any]) -> Any:
        """What stands in the row for the records that were found."""
        return found[0].id if found else None


@dataclass(frozen=True, slots=True)
class Edges:
    """Several pointers of a row: the attribute `key` holds a list of ids."""

    key: str
    target: str
    unless: tuple[str, ...] = ()
    when: When | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """As `Edge`."""
        return (self.target,)

    def leads(self, row: Any) -> list[tuple[str, int]]:
        """Targets and ids."""
        return [(self.target, key) for key in getattr(row, self.key)]

    def told(self, _row: Any, found: Sequence[Any]) -> Any:
        """The ids of those that were found."""
        return [one.id for one in found]


@dataclass(frozen=True, slots=True)
class AnyEdge:
    """A pointer to a record of any kind: `key`_type and `key`_id name it, `kinds` has the target for each class.

    Told as `{"type": "poll_option", "id": 1}` under `key`; its root is there only where the record is.
    """

    key: str
    kinds: Mapping[str, str]
    unless: tuple[str, ...] = ()
    when: When | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """None: which root it would be is not known before there is a record."""
        return ()

    def leads(self, row: Any) -> list[tuple[str, int]]:
        """Target and id."""
        kind, key = getattr(row, f"{self.key}_type"), getattr(row, f"{self.key}_id")
        return [] if kind is None or key is None else [(self.kinds[kind], key)]

    def told(self, row: Any, found: Sequence[Any]) -> Any:
        """Class, in small letters, and id."""
        if not found:
            return None
        kind = _CAPITAL.sub("_", getattr(row, f"{self.key}_type")).lower()
        return {"type": kind, "id": found[0].id}


_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")

AnyKindOfEdge: TypeAlias = Edge | Edges | AnyEdge


@dataclass(frozen=True, slots=True)
class Shape:
    """How rows of one kind are told."""

    root: str
    fields: tuple[Field, ...]
    edges: tuple[AnyKindOfEdge, ...] = ()

    def under(self, root: str) -> Shape:
        """The same rows under another root."""
        return replace(self, root=root)


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
    """Rows that edges lead to."""

    rows: dict[str, dict[int, Any]] = field(default_factory=dict)
    """By target and id; None where there is no such record."""
    loaded: defaultdict[Load, dict[int, Any]] = field(default_factory=lambda: defaultdict(dict))
    """By whoever loaded them, for targets that share it."""

    def find(self, target: str, key: int) -> Any | None:
        """The row, if there is one."""
        return self.rows.get(target, {}).get(key)

    def is_new(self, target: str, key: int) -> bool:
        """Whether no edge led there before."""
        return key not in self.rows.setdefault(target, {})

    def keep(self, target: str, load: Load, keys: Iterable[int]) -> list[Any]:
        """Note that edges lead there; those that are there."""
        loaded = self.loaded[load]
        rows = {key: loaded.get(key) for key in keys}
        self.rows[target].update(rows)
        return [row for row in rows.values() if row is not None]


def _edges(shape: Shape, scope: Scope) -> list[AnyKindOfEdge]:
    return [edge for edge in shape.edges if scope.excluded.isdisjoint(edge.unless)]


async def gather(
    db: Executor, catalogue: Catalogue, shape: Shape, rows: Sequence[Any], scope: Scope
) -> Gathered:
    """Load what `rows` lead to, directly and further on. What leads back to one of them finds it there."""
    gathered = Gathered()
    asked: defaultdict[Load, set[int]] = defaultdict(set)
    for source in catalogue.values():
        if source.shape is shape:
            gathered.loaded[source.load].update((row.id, row) for row in rows)
            asked[source.load].update(gathered.loaded[source.load])
    level: list[tuple[Shape, Sequence[Any]]] = [(shape, rows)]
    while level:
        reached: dict[str, list[int]] = {}
        for from_shape, from_rows in level:
            for target, key in _led_to(from_shape, from_rows, scope):
                if gathered.is_new(target, key):
                    reached.setdefault(target, []).append(key)
        wanted: defaultdict[Load, dict[int, None]] = defaultdict(dict)
        for target, keys in reached.items():
            load = catalogue[target].load
            wanted[load].update(dict.fromkeys(key for key in keys if key not in asked[load]))
        for load, missing in wanted.items():
            if missing:
                asked[load].update(missing)
                gathered.loaded[load].update(await load(db, list(missing)))
        level = [
            (catalogue[target].shape, gathered.keep(target, catalogue[target].load, keys))
            for target, keys in reached.items()
        ]
    return gathered


def _led_to(shape: Shape, rows: Sequence[Any], scope: Scope) -> Iterator[tuple[str, int]]:
    for edge in _edges(shape, scope):
        for row in rows:
            if edge.when is None or edge.when(row, scope):
                yield from edge.leads(row)


def render(
    catalogue: Catalogue, shape: Shape, rows: Sequence[Any], gathered: Gathered, scope: Scope
) -> dict[str, list[dict[str, Any]]]:
    """The roots of a response, in Loomio's order."""
    roots: dict[str, list[dict[str, Any]]] = {}
    told: defaultdict[str, set[int]] = defaultdict(set)

    def tell(row: Any, shape: Shape) -> dict[str, Any]:
        node = {
            one.name: _plain(one.value(row, scope))
            for one in shape.fields
            if one.when is None or one.when(row, scope)
        }
        for edge in _edges(shape, scope):
            if edge.when is not None and not edge.when(row, scope):
                continue
            for target in edge.targets:
                roots.setdefault(catalogue[target].shape.root, [])
            found = [
                (target, other)
                for target, key in edge.leads(row)
                if (other := gathered.find(target, key)) is not None
            ]
            node[edge.key] = edge.told(row, [other for _, other in found])
            for target, other in found:
                side_load(other, catalogue[target].shape)
        return node

    def side_load(row: Any, shape: Shape) -> None:
        root = roots.setdefault(shape.root, [])
        if row.id not in told[shape.root]:
            told[shape.root].add(row.id)
            root.append(tell(row, shape))

    primary = [tell(row, shape) for row in rows]
    roots[shape.root] = primary
    return roots


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return rails_time(value)
    if isinstance(value, date):
        return value.isoformat()
    return value
