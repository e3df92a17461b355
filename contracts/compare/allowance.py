# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a recording allows: its `noise`, its `unordered` arrays, and wording that is compared by what it has to hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from contracts.notation import holds, is_text
from proxy.experiment.diff import Fact, Place, escaped, pointer_of, tokens
from proxy.experiment.outcome import Kind

_FORM_MEMBERS = 3
"""So many noisy members that are absent together are a form that only some runs had."""


class Wording:
    """A `$text` among the recorded facts: a leaf of a type of its own, so that anything actual differs from it."""

    __slots__ = ("recorded",)

    def __init__(self, recorded: dict[str, Any]) -> None:
        self.recorded = recorded


class Allowance:
    """The rules of one case. Pointers are from the root of the recorded line; list places are the recording's.

    It is what a walk asks (`unordered`, `accepts`), and the judgement of its facts afterwards.
    """

    def __init__(self, noise: Iterable[str] = (), unordered: Iterable[str] = ()) -> None:
        self._noise = frozenset(noise)
        self._unordered = set(unordered)

    def mark_unordered_records(self, pointer: str, elements: list[Any]) -> None:
        """Takes the array at `pointer` for one without order, where it is one of records."""
        if all(isinstance(one, dict) and "id" in one for one in elements):
            self._unordered.add(pointer)

    def unordered(self, place: Place) -> bool:
        """Whether the array at `place` has no order."""
        return pointer_of(place) in self._unordered

    def accepts(self, fact: Fact) -> bool:
        """Whether a fact is meant to be."""
        if (
            isinstance(fact.control, Wording)
            and fact.kind is Kind.TYPE
            and holds(fact.control.recorded, fact.candidate)
        ):
            return True
        if fact.kind is Kind.ORDER and self.unordered(fact.place):
            return True
        if not self._noise:
            return False
        pointer = pointer_of(fact.place)
        if pointer not in self._noise:
            return self._is_below_noise(pointer)
        # Noise has to be there and of its type; a recorded null may have become anything.
        return fact.kind is not Kind.MISSING and (fact.kind is not Kind.TYPE or fact.control is None)

    def judge(self, facts: Iterable[Fact], recorded: Any) -> list[Fact]:
        """The facts that count; `recorded` is the root that their places start from."""
        counted = [fact for fact in facts if not self.accepts(fact)]
        absent: dict[str, set[str]] = {}
        for fact in counted:
            if fact.kind is Kind.MISSING and pointer_of(fact.place) in self._noise:
                parent, _, name = pointer_of(fact.place).rpartition("/")
                absent.setdefault(parent, set()).add(name)
        forms = {parent for parent, names in absent.items() if self._is_form(parent, names, recorded)}
        return [_with_wording(fact) for fact in counted if not self._is_of_form(fact, forms)]

    def _is_form(self, parent: str, absent: set[str], recorded: Any) -> bool:
        """Whether all noisy members of the recorded object are absent, and are enough to be a form."""
        here: Any = recorded
        for token in tokens(parent):
            here = here[int(token)] if isinstance(here, list) else here[token]
        if not isinstance(here, dict) or len(absent) < _FORM_MEMBERS:
            return False
        return absent == {name for name in map(escaped, here) if f"{parent}/{name}" in self._noise}

    def _is_of_form(self, fact: Fact, forms: set[str]) -> bool:
        if not forms or fact.kind is not Kind.MISSING:
            return False
        pointer = pointer_of(fact.place)
        return pointer in self._noise and pointer.rpartition("/")[0] in forms

    def _is_below_noise(self, pointer: str) -> bool:
        while pointer:
            if pointer in self._noise:
                return True
            pointer = pointer.rpartition("/")[0]
        return False


def worded(value: Any) -> Any:
    """A recorded value with a `Wording` in place of every `$text`. Changes `value` itself; any depth is fine."""
    holder = [value]
    pending: list[Any] = [holder]
    while pending:
        container = pending.pop()
        for key, child in list(container.items() if isinstance(container, dict) else enumerate(container)):
            if is_text(child):
                container[key] = Wording(child)
            elif isinstance(child, dict | list):
                pending.append(child)
    return holder[0]


def _with_wording(fact: Fact) -> Fact:
    """A fact about wording as such, with the recorded notation."""
    if not isinstance(fact.control, Wording):
        return fact
    kind = Kind.TEXT if fact.kind is Kind.TYPE else fact.kind
    return fact._replace(kind=kind, control=fact.control.recorded)
