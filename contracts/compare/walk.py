# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lays recorded and actual facts side by side.

Iterative, so that no depth of an answer can overflow it; only nested *unordered* arrays without ids make it
call itself, and those are as deep as the recording's rules.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

import msgspec

from contracts.compare.rules import Rule, escaped
from contracts.notation import holds, is_text

_SCALARS = frozenset((str, int, float, bool, type(None)))
_TRIALS = 2_500
"""How many pairs of unlike elements of an unordered array are tried before they are paired as they come."""

_FORM_MEMBERS = 3
"""So many noisy members that are absent together are a form that only some runs had."""


class Kind(StrEnum):
    """How an answer deviates."""

    STATUS = "status"
    BODY = "body"
    """Not the kind of body that was recorded."""
    MISSING = "missing"
    EXTRA = "extra"
    TYPE = "type"
    VALUE = "value"
    TEXT = "text"
    """The product's own wording, without the texts that it has to hold."""
    ORDER = "order"


class Difference(msgspec.Struct, frozen=True):
    """One deviation. `pointer` is a JSON pointer from the root of the recorded line; `-` is an element that the
    recording does not have. `expected` and `actual` are the values there, None where there is none.
    """

    pointer: str
    kind: Kind
    expected: Any = None
    actual: Any = None

    def __str__(self) -> str:
        return f"{self.pointer} {self.kind}: expected {_short(self.expected)}, got {_short(self.actual)}"


Place = tuple[Any, str] | None
"""Where we are: the place above and a reference token. Pointers are written only for what differs."""

_Pending = list[tuple[Any, Any, Rule | None, Place]]


def walk(expected: Any, actual: Any, rule: Rule | None, place: Place) -> list[Difference]:
    """Every deviation of `actual` from `expected`, by pointer. `rule` lies at `place`."""
    found: list[Difference] = []
    pending: _Pending = [(expected, actual, rule, place)]
    while pending:
        recorded, given, rule, place = pending.pop()
        if rule is not None and rule.noise:
            if recorded is not None and _type(recorded) != _type(given):
                found.append(Difference(pointer(place), Kind.TYPE, recorded, given))
        elif is_text(recorded):
            if not holds(recorded, given):
                found.append(Difference(pointer(place), Kind.TEXT, recorded, given))
        elif _type(recorded) != _type(given):
            found.append(Difference(pointer(place), Kind.TYPE, recorded, given))
        elif isinstance(recorded, dict):
            _objects(recorded, given, rule, place, found, pending)
        elif isinstance(recorded, list):
            _arrays(recorded, given, rule, place, found, pending)
        elif recorded != given:
            found.append(Difference(pointer(place), Kind.VALUE, recorded, given))
    return sorted(found, key=lambda difference: difference.pointer)


def pointer(place: Place) -> str:
    """The JSON pointer of a place."""
    parts: list[str] = []
    while place is not None:
        place, token = place
        parts.append(escaped(token))
    return "".join(f"/{part}" for part in reversed(parts))


def place_of(*names: str) -> Place:
    """The place below these reference tokens."""
    place: Place = None
    for name in names:
        place = (place, name)
    return place


def _objects(
    recorded: dict[str, Any],
    given: dict[str, Any],
    rule: Rule | None,
    place: Place,
    found: list[Difference],
    pending: _Pending,
) -> None:
    below = rule.below if rule is not None else {}
    absent = []
    for name, value in recorded.items():
        if name not in given:
            absent.append(name)
            continue
        other = given[name]
        # Most members are equal scalars without a rule: they need no visit.
        if type(value) in _SCALARS and value == other and type(value) is type(other) and name not in below:
            continue
        pending.append((value, other, below.get(name), (place, name)))
    if absent:
        found += [
            Difference(pointer((place, name)), Kind.MISSING, recorded[name])
            for name in _missing(absent, recorded, below)
        ]
    if len(given) > len(recorded) - len(absent):
        found += [
            Difference(pointer((place, name)), Kind.EXTRA, None, value)
            for name, value in given.items()
            if name not in recorded and not (name in below and below[name].noise)
        ]


def _missing(absent: list[str], recorded: dict[str, Any], below: dict[str, Rule]) -> list[str]:
    """Which absent members are missed: noise is, too, unless a whole form of it is not there."""
    noisy = [name for name in recorded if name in below and below[name].noise]
    if len(noisy) >= _FORM_MEMBERS and set(noisy) <= set(absent):
        return [name for name in absent if name not in noisy]
    return absent


def _arrays(
    recorded: list[Any],
    given: list[Any],
    rule: Rule | None,
    place: Place,
    found: list[Difference],
    pending: _Pending,
) -> None:
    ids, given_ids = _ids(recorded), _ids(given)
    unordered = rule is not None and rule.unordered
    if ids is not None and given_ids is not None and (ids or given_ids):
        pairs = [(index, given_ids.get(key)) for key, index in ids.items()]
        left_over = [index for key, index in given_ids.items() if key not in ids]
        common = [other for _, other in pairs if other is not None]
        if not unordered and common != sorted(common):
            found.append(Difference(pointer(place), Kind.ORDER, list(ids), list(given_ids)))
    elif unordered:
        pairs, left_over = _pairs_of_multisets(recorded, given, rule, place)
    else:
        shared = min(len(recorded), len(given))
        pairs = [(index, index if index < shared else None) for index in range(len(recorded))]
        left_over = list(range(shared, len(given)))
    for index, other in pairs:
        here = (place, str(index))
        if other is None:
            found.append(Difference(pointer(here), Kind.MISSING, recorded[index]))
        else:
            pending.append((recorded[index], given[other], _rule_at(rule, index), here))
    found += [Difference(pointer((place, "-")), Kind.EXTRA, None, given[other]) for other in left_over]


def _ids(elements: list[Any]) -> dict[Any, int] | None:
    """Place by id, where every element is an object with an id of its own."""
    ids: dict[Any, int] = {}
    for index, element in enumerate(elements):
        key = element.get("id") if isinstance(element, dict) else None
        if type(key) not in (int, str) or key in ids:
            return None
        ids[key] = index
    return ids


def _pairs_of_multisets(
    recorded: list[Any], given: list[Any], rule: Rule | None, place: Place
) -> tuple[list[tuple[int, int | None]], list[int]]:
    """Which element is which: equal ones first, then those that are the same by the rules, then as they come."""
    by_content: dict[Any, list[int]] = {}
    for other, element in enumerate(given):
        by_content.setdefault(_content(element), []).append(other)
    for others in by_content.values():
        others.reverse()
    pairs: list[tuple[int, int | None]] = []
    unmatched: list[int] = []
    for index, element in enumerate(recorded):
        others = by_content.get(_content(element), [])
        if others:
            pairs.append((index, others.pop()))
        else:
            unmatched.append(index)
    left_over = sorted(other for others in by_content.values() for other in others)
    if len(unmatched) * len(left_over) <= _TRIALS:
        for index in tuple(unmatched):
            for other in left_over:
                if not walk(recorded[index], given[other], _rule_at(rule, index), place):
                    pairs.append((index, other))
                    unmatched.remove(index)
                    left_over.remove(other)
                    break
    pairs += list(zip(unmatched, left_over, strict=False))
    pairs += [(index, None) for index in unmatched[len(left_over) :]]
    return pairs, left_over[len(unmatched) :]


def _content(element: Any) -> Any:
    """Something to look equal elements up by."""
    if type(element) in _SCALARS:
        return type(element) is bool, element
    return _json(element)


def _rule_at(rule: Rule | None, index: int) -> Rule | None:
    return rule.below.get(str(index)) if rule is not None and rule.below else None


def _type(value: Any) -> str:
    """The JSON type of a value."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return type(value).__name__


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    except RecursionError:
        # Deeper than any recording: it equals nothing, and nobody would read it.
        return f"nested too deeply ({id(value)})"


def _short(value: Any) -> str:
    text = _json(value)
    return text if len(text) <= 100 else f"{text[:97]}…"
