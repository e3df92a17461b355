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

import msgspec

DEEPEST_TRIAL = 8
"""Unordered arrays within unordered arrays: deeper than this their elements are paired as they come."""

_TRIALS = 2_500
"""How many pairs of unlike elements of an unordered array are tried before they are paired as they come."""

_encode = msgspec.json.Encoder(order="sorted", decimal_format="number").encode

Same = Callable[[int, int], bool]
"""Whether the elements at these two places are the same by the rules."""


@dataclass(slots=True)
class Aligned:
    """Places in both lists. `pairs` still have to be compared; `reordered` is both orders, where they differ."""

    pairs: list[tuple[int, int]] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    extra: list[int] = field(default_factory=list)
    reordered: tuple[list[Any], list[Any]] | None = None


def align(
    control: list[Any], candidate: list[Any], unordered: Callable[[], bool], same: Same | None
) -> Aligned:
    """Pairs the elements of two lists. `unordered` is asked only where it matters."""
    if not control or not candidate:
        return Aligned(missing=list(range(len(control))), extra=list(range(len(candidate))))
    keys = _keys(control)
    other_keys = _keys(candidate) if keys is not None else None
    if keys is not None and other_keys is not None:
        return _by_id(control, candidate, keys, other_keys)
    left = _unlike(control, candidate)
    if left is None:
        return Aligned()
    if unordered():
        return _as_multisets(control, candidate, same)
    return _as_sequences(control, candidate, *left)


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
        _under_another_id(control, candidate, aligned)
    if any(after < before for before, after in pairwise(others)):
        aligned.reordered = ([key for key, _ in keys], [key for key, _ in other_keys])
    return aligned


def _under_another_id(control: list[Any], candidate: list[Any], aligned: Aligned) -> None:
    """Pairs records whose id alone is wrong: another type of the same text, or all the rest is equal in its place."""
    by_text = {str(candidate[other]["id"]): other for other in aligned.extra}
    extra = set(aligned.extra)
    for index in tuple(aligned.missing):
        other = by_text.get(str(control[index]["id"]), index)
        if other not in extra:
            continue
        one, two = control[index], candidate[other]
        if str(one["id"]) == str(two["id"]) or _content(one | {"id": 0}) == _content(two | {"id": 0}):
            aligned.pairs.append((index, other))
            aligned.missing.remove(index)
            extra.remove(other)
    aligned.extra = [other for other in aligned.extra if other in extra]


def _unlike(control: list[Any], candidate: list[Any]) -> tuple[int, int] | None:
    """How many elements at the beginning and at the end are plainly equal; None where all are."""
    shorter = min(len(control), len(candidate))
    first = 0
    while first < shorter and _plainly_equal(control[first], candidate[first]):
        first += 1
    if first == len(control) == len(candidate):
        return None
    last = 0
    while last < shorter - first and _plainly_equal(control[-1 - last], candidate[-1 - last]):
        last += 1
    return first, last


def _as_sequences(control: list[Any], candidate: list[Any], first: int, last: int) -> Aligned:
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
    return len(control) > 1 and Counter(map(_content, control)) == Counter(map(_content, candidate))


def _as_multisets(control: list[Any], candidate: list[Any], same: Same | None) -> Aligned:
    by_content: dict[Any, list[int]] = {}
    for other in range(len(candidate) - 1, -1, -1):
        by_content.setdefault(_content(candidate[other]), []).append(other)
    aligned = Aligned()
    places: dict[int, int] = {}
    unmatched: list[int] = []
    for index, element in enumerate(control):
        others = by_content.get(_content(element))
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


def _plainly_equal(one: Any, other: Any) -> bool:
    """Equal beyond doubt; what cannot be written is left to the walk."""
    return type(one) is type(other) and bool(_content(one) == _content(other))


def _content(element: Any) -> Any:
    """Something to look equal elements up by."""
    if type(element) is dict or type(element) is list:
        try:
            return _encode(element)
        except (RecursionError, TypeError, ValueError):
            # Deeper than can be written, or with something of a recording's notation in it: it equals nothing here.
            return f"cannot be written ({id(element)})"
    return type(element) is bool, element
