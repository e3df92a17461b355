# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lays two values side by side and tells every difference.

Iterative, so that no depth of an answer can overflow it. Only nested arrays that are declared unordered and have no ids
make it call itself, and that is bounded (`lists.DEEPEST_TRIAL`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from proxy.experiment.diff import lists
from proxy.experiment.diff.place import EXTRA, Place, field_of, lies_deep, pointer_of
from proxy.experiment.outcome import Difference, Kind

_SCALARS = frozenset((str, int, bool, type(None), Decimal, float))
_NUMBERS = frozenset((int, Decimal, float))
_NAMES = {
    str: "string",
    int: "number",
    float: "number",
    Decimal: "number",
    bool: "boolean",
    type(None): "null",
    dict: "object",
    list: "array",
}
_ABSENT = object()


class Fact(NamedTuple):
    """At `place` the two differ. A value that is not there is None."""

    place: Place
    kind: Kind
    control: Any = None
    candidate: Any = None

    @property
    def pointer(self) -> str:
        """Where exactly: a JSON pointer."""
        return pointer_of(self.place)

    @property
    def field(self) -> str:
        """Where, list places and data keys as `*`."""
        return field_of(self.place)

    def difference(self) -> Difference:
        """The fact with its place written out."""
        return Difference(self.pointer, self.kind, self.control, self.candidate)


class View(Protocol):
    """What a walk has to know of the rules: how to lay arrays side by side."""

    def unordered(self, place: Place) -> bool:
        """Whether the array at `place` has no order."""

    def accepts(self, fact: Fact) -> bool:
        """Whether a rule explains `fact` away, so that two elements of an unordered array are the same one."""


class Strict:
    """No rule at all."""

    def unordered(self, place: Place) -> bool:
        """Every array has an order."""
        return False

    def accepts(self, fact: Fact) -> bool:
        """Every fact counts."""
        return False


_STRICT = Strict()


def walk(
    control: Any,
    candidate: Any,
    place: Place = None,
    view: View = _STRICT,
    *,
    trials: int = 0,
    contents: lists.Contents | None = None,
) -> list[Fact]:
    """Every difference between two values that lie at `place`. `trials` counts walks within walks, which share
    `contents`."""
    if contents is None:
        contents = lists.Contents()
    found: list[Fact] = []
    pending: list[tuple[Any, Any, Place]] = [(control, candidate, place)]
    while pending:
        one, other, here = pending.pop()
        kind = type(one)
        if kind is not type(other) and not (kind in _NUMBERS and type(other) in _NUMBERS):
            found.append(Fact(here, Kind.TYPE, one, other))
        elif kind is dict:
            _objects(one, other, here, found, pending)
        elif kind is list:
            _arrays(_Arrays(one, other, here), view, trials, contents, found, pending)
        elif one != other:
            found.append(Fact(here, Kind.VALUE, one, other))
    return found


def json_type(value: Any) -> str:
    """The JSON type of a value."""
    return _NAMES.get(type(value), type(value).__name__)


def _objects(
    control: dict[str, Any],
    candidate: dict[str, Any],
    place: Place,
    found: list[Fact],
    pending: list[tuple[Any, Any, Place]],
) -> None:
    absent = 0
    for name, one in control.items():
        other = candidate.get(name, _ABSENT)
        if other is _ABSENT:
            absent += 1
            found.append(Fact((place, name), Kind.MISSING, one))
            continue
        # Most members are equal scalars: they need no visit.
        kind = type(one)
        if kind is type(other) and kind in _SCALARS and one == other:
            continue
        pending.append((one, other, (place, name)))
    if len(candidate) > len(control) - absent:
        found += [
            Fact((place, name), Kind.EXTRA, None, other)
            for name, other in candidate.items()
            if name not in control
        ]


class _Arrays(NamedTuple):
    control: list[Any]
    candidate: list[Any]
    place: Place


def _arrays(
    two: _Arrays,
    view: View,
    trials: int,
    contents: lists.Contents,
    found: list[Fact],
    pending: list[tuple[Any, Any, Place]],
) -> None:
    control, candidate, place = two

    def same(index: int, other: int) -> bool:
        """Whether two elements are the same by the rules, the control's place being the place."""
        facts = walk(
            control[index], candidate[other], (place, index), view, trials=trials + 1, contents=contents
        )
        return all(map(view.accepts, facts))

    aligned = lists.align(
        control,
        candidate,
        lambda: not lies_deep(place) and view.unordered(place),
        same if trials < lists.DEEPEST_TRIAL else None,
        contents,
    )
    if aligned.reordered is not None:
        found.append(Fact(place, Kind.ORDER, *aligned.reordered))
    pending += [(control[index], candidate[other], (place, index)) for index, other in aligned.pairs]
    found += [Fact((place, index), Kind.MISSING, control[index]) for index in aligned.missing]
    found += [Fact((place, EXTRA), Kind.EXTRA, None, candidate[other]) for other in aligned.extra]
