# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which element of one array is which of the other.

- Records (objects with an `id`) are matched by it; a second record of one id is matched with the other's second. That
  they came in another order is told as such.
- Without ids an array is a sequence: what is equal at both ends is laid aside, the rest is paired as it comes; where
  the rest has the same elements in another order, that is the one thing told.
- Declared unordered and without ids it is a multiset: equal elements are paired first, then those that are the same by
  the rules, then the rest as it comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

DEEPEST_TRIAL = 8
"""Unordered arrays within unordered arrays: deeper than this their elements are paired as they come."""

_TRIALS = 2_500
"""How many pairs of unlike elements of an unordered array are tried before they are paired as they come."""

Same = Callable[[int, int], bool]
"""Whether the elements at these two places are the same by the rules."""


class Contents:
    """Something to look equal elements up by: the same for equal values, whatever their depth.

    Each array and object is looked at once, however often it is asked for; so they have to outlive this.
    """

    def __init__(self) -> None:
        self._known: dict[int, int] = {}
        self._numbers: dict[Any, int] = {}

    def of(self, value: Any) -> Any:
        """The content of a value; a number for arrays and objects."""
        if type(value) is not dict and type(value) is not list:
            return type(value) is bool, value
        pending = [value]
        while pending:
            here = pending[-1]
            children = here.values() if type(here) is dict else here
            unknown = [
                child
                for child in children
                if (type(child) is dict or type(child) is list) and id(child) not in self._known
            ]
            if unknown and id(here) not in self._known:
                pending += unknown
                continue
            pending.pop()
            if id(here) not in self._known:
                self._known[id(here)] = self._numbers.setdefault(self._key(here), len(self._numbers))
        return self._known[id(value)]

    def _key(self, here: Any) -> Any:
        """A flat key of an array or object whose parts are known."""
        if type(here) is dict:
            return frozenset((name, self._part(child)) for name, child in here.items())
        return tuple(map(self._part, here))

    def _part(self, child: Any) -> Any:
        known = self._known.get(id(child)) if type(child) is dict or type(child) is list else None
        return (type(child) is bool, child) if known is None else known


@dataclass(slots=True)
class Aligned:
    """Places in both lists. `pairs` still have to be compared; `reordered` is both orders, where they differ."""

    pairs: list[tuple[int, int]] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    extra: list[int] = field(default_factory=list)
    reordered: tuple[list[Any], list[Any]] | None = None


def align(
    control: list[Any],
    candidate: list[Any],
    unordered: Callable[[], bool],
    same: Same | None,
    contents: Contents,
) -> Aligned:
    """Pairs the elements of two lists. `unordered` is asked only where it matters."""
    if not control or not candidate:
        return Aligned(missing=list(range(len(control))), extra=list(range(len(candidate))))
    keys = _keys(control)
    other_keys = _keys(candidate) if keys is not None else None
    if keys is not None and other_keys is not None:
        return _by_id(control, candidate, keys, other_keys, contents)
    if len(control) == len(candidate) and all(map(_same_scalar, control, candidate)):
        return Aligned()
    one, other = list(map(contents.of, control)), list(map(contents.of, candidate))
    left = _unlike(one, other)
    if left is None:
        return Aligned()
    aligned = _as_multisets(one, other, same) if unordered() else _as_sequences(one, other, *left)
    if aligned.reordered is not None:
        aligned.reordered = (control, candidate)
    return aligned


def _keys(elements: list[Any]) -> dict[tuple[Any, int], int] | None:
    """Place by id and occurrence, where every element is an object with an id."""
    seen: Counter[Any] = Counter()
    keys: dict[tuple[Any, int], int] = {}
    for index, element in enumerate(elements):
        key = element.get("id") if type(element) is dict else None
        if type(key) is not int and type(key) is not str:
            return None
        keys[(key, seen[key])] = index
        seen[key] += 1
    return keys


def _by_id(
    control: list[Any],
    candidate: list[Any],
    keys: dict[tuple[Any, int], int],
    other_keys: dict[tuple[Any, int], int],
    contents: Contents,
) -> Aligned:
    aligned = Aligned()
    others = []
    for key, index in keys.items():
        other = other_keys.get(key)
        if other is None:
            aligned.missing.append(index)
        else:
            aligned.pairs.append((index, other))
            others.append(other)
    aligned.extra = [other for key, other in other_keys.items() if key not in keys]
    if aligned.missing and aligned.extra:
        _under_another_id(control, candidate, aligned, contents)
    if any(after < before for before, after in pairwise(others)):
        aligned.reordered = ([key for key, _ in keys], [key for key, _ in other_keys])
    return aligned


def _under_another_id(control: list[Any], candidate: list[Any], aligned: Aligned, contents: Contents) -> None:
    """Pairs records whose id alone is wrong: another type of the same text, or all the rest is equal in its place."""
    by_text = {str(candidate[other]["id"]): other for other in aligned.extra}
    extra = set(aligned.extra)
    for index in tuple(aligned.missing):
        other = by_text.get(str(control[index]["id"]), index)
        if other not in extra:
            continue
        one, two = control[index], candidate[other]
        if str(one["id"]) == str(two["id"]) or _equal_but_for_id(one, two, contents):
            aligned.pairs.append((index, other))
            aligned.missing.remove(index)
            extra.remove(other)
    aligned.extra = [other for other in aligned.extra if other in extra]


def _equal_but_for_id(one: dict[str, Any], other: dict[str, Any], contents: Contents) -> bool:
    return one.keys() == other.keys() and all(
        name == "id" or contents.of(value) == contents.of(other[name]) for name, value in one.items()
    )


def _same_scalar(one: Any, other: Any) -> bool:
    """The quick look at lists of ids and names."""
    kind = type(one)
    return kind is type(other) and (kind is int or kind is str) and bool(one == other)


def _unlike(control: list[Any], candidate: list[Any]) -> tuple[int, int] | None:
    """How many elements at the beginning and at the end have equal contents; None where all have."""
    shorter = min(len(control), len(candidate))
    first = 0
    while first < shorter and control[first] == candidate[first]:
        first += 1
    if first == len(control) == len(candidate):
        return None
    last = 0
    while last < shorter - first and control[-1 - last] == candidate[-1 - last]:
        last += 1
    return first, last


def _as_sequences(control: list[Any], candidate: list[Any], first: int, last: int) -> Aligned:
    """Pairs by contents, of which `first` at the beginning and `last` at the end are equal."""
    end, other_end = len(control) - last, len(candidate) - last
    if end == other_end:
        rest, other_rest = control[first:end], candidate[first:end]
        if _is_permutation(rest, other_rest):
            return Aligned(reordered=(control, candidate))
    middle = min(end, other_end)
    return Aligned(
        pairs=[(index, index) for index in range(first, middle)],
        missing=list(range(middle, end)),
        extra=list(range(middle, other_end)),
    )


def _is_permutation(control: list[Any], candidate: list[Any]) -> bool:
    """Whether the same elements come in another order; both begin and end with unlike ones."""
    return len(control) > 1 and Counter(control) == Counter(candidate)


def _as_multisets(control: list[Any], candidate: list[Any], same: Same | None) -> Aligned:
    """Pairs by contents in any order."""
    by_content: dict[Any, list[int]] = {}
    for other in range(len(candidate) - 1, -1, -1):
        by_content.setdefault(candidate[other], []).append(other)
    aligned = Aligned()
    places: dict[int, int] = {}
    unmatched: list[int] = []
    for index, element in enumerate(control):
        others = by_content.get(element)
        if others:
            places[index] = others.pop()
        else:
            unmatched.append(index)
    left = sorted(other for others in by_content.values() for other in others)
    if same is not None and len(unmatched) * len(left) <= _TRIALS:
        for index in tuple(unmatched):
            twin = next((other for other in left if same(index, other)), None)
            if twin is not None:
                places[index] = twin
                unmatched.remove(index)
                left.remove(twin)
                # What the rules had to explain is looked at again, so that it is told who explained it.
                aligned.pairs.append((index, twin))
    aligned.pairs += zip(unmatched, left, strict=False)
    aligned.missing = unmatched[len(left) :]
    aligned.extra = left[len(unmatched) :]
    order = [places[index] for index in sorted(places)]
    if order != sorted(order):
        aligned.reordered = (control, candidate)
    return aligned
