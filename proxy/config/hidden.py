# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes that can never match, because routes before them take every request they could have.

A route is hidden when, for each of its methods, every shape of its path is covered by a shape of an earlier route.
Routes with constraints, engines and other paths without shapes hide only their exact likes: what their regular
expressions match is not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from proxy.config import notation
from proxy.config.errors import Code
from proxy.config.kinds import Path, Walk
from proxy.config.written import CatalogueRow

Spot = tuple[int, str, object]
"""Where a shape is looked for: number of segments, tail, first segment."""


def unreachable(rows: Sequence[CatalogueRow]) -> Iterator[tuple[int, int]]:
    """Indexes of hidden routes, each with that of the (last) route that it takes to hide it."""
    seen = _Seen()
    for index, row in enumerate(rows):
        pattern = notation.parse(row.path, row.constraints, mount=row.mount)
        hiders = [seen.hider(row, pattern, method) for method in row.methods or ("",)]
        if None not in hiders:
            yield index, max(hider for hider in hiders if hider is not None)
        seen.add(index, row, pattern)


def note_unreachable(rows: Sequence[CatalogueRow], places: Sequence[Path], walk: Walk) -> None:
    """Note every hidden route; `places` says where each route was written."""
    for index, hider in unreachable(rows):
        row, first = rows[index], rows[hider]
        walk.findings.add(
            Code.UNREACHABLE_ROUTE,
            walk.place(places[index]),
            f"{row.method} {row.path} can never match: {first.method} {first.path} stands before it",
            "Remove it, or move it up to where Rails has it.",
        )


class _Seen:
    """The routes so far."""

    def __init__(self) -> None:
        self._exact: dict[tuple[str, str, str], int] = {}
        self._shapes: dict[Spot, list[tuple[int, frozenset[str], notation.Shape]]] = {}
        self._globs: list[tuple[int, frozenset[str], notation.Shape]] = []

    def add(self, index: int, row: CatalogueRow, pattern: notation.Pattern) -> None:
        """Remember a route."""
        for method in row.methods or ("",):
            self._exact.setdefault((method, pattern.path, _marks(row)), index)
        for shape in pattern.shapes() or ():
            entry = (index, frozenset(row.methods), shape)
            if shape.tail == "*":
                self._globs.append(entry)
            else:
                self._shapes.setdefault(_spot(shape), []).append(entry)

    def hider(self, row: CatalogueRow, pattern: notation.Pattern, method: str) -> int | None:
        """The last route that it takes to hide `row` for one method; None where it is not hidden."""
        exact = self._exact.get((method, pattern.path, _marks(row)))
        if exact is not None:
            return exact
        shapes = pattern.shapes()
        if shapes is None:
            return None
        covers = [self._cover(shape, method) for shape in shapes]
        return None if None in covers else max(cover for cover in covers if cover is not None)

    def _cover(self, shape: notation.Shape, method: str) -> int | None:
        count, tail, _ = spot = _spot(shape)
        candidates = [
            *self._shapes.get(spot, ()),
            *self._shapes.get((count, tail, notation.Wild.ANY), ()),
            *self._globs,
        ]
        fits = (
            index
            for index, methods, earlier in candidates
            if (not methods or method in methods) and earlier.covers(shape)
        )
        return min(fits, default=None)


def _spot(shape: notation.Shape) -> Spot:
    return len(shape.segments), shape.tail, shape.segments[0] if shape.segments else ""


def _marks(row: CatalogueRow) -> str:
    return repr((row.mount, sorted(row.constraints.items())))
