# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tables of who may do what: situations, each told by what is true in it, and the answer.

    Ability.GROUP_SHOW: table(GroupFacts, no(), yes("am_member"), no("am_member", "is_archived"))

Every fact that is not named is false, every record that no name leads into is not there (`"discussion.am_author"`
leads into one; `"discussion"` says it is there). `given` holds what is true in every row; `"not is_kept"` takes it
back in one.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from services.kernel.abilities import Policy
from services.kernel.sqlcheck import without_none


@dataclass(frozen=True, slots=True)
class Row:
    """A situation, and whether it allows what the table is about."""

    answer: bool
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Situations of one kind of facts."""

    kind: type[Any]
    rows: tuple[Row, ...]
    given: frozenset[str]

    def truths(self, row: Row) -> frozenset[str]:
        """What is true in a row."""
        taken_back = {name.removeprefix("not ") for name in row.told if name.startswith("not ")}
        assert taken_back <= self.given, f"{taken_back - self.given} is not given"
        said = {name for name in row.told if not name.startswith("not ")}
        assert not said & self.given, f"{said & self.given} is given anyway"
        return (self.given - taken_back) | said


def yes(*told: str) -> Row:
    """Allowed where this is true, and nothing else."""
    return Row(True, told)


def no(*told: str) -> Row:
    """Not allowed where this is true, and nothing else."""
    return Row(False, told)


def table(kind: type[Any], *rows: Row, given: tuple[str, ...] = ()) -> Table:
    """A table over facts of this kind."""
    return Table(kind, rows, frozenset(given))


def also(rows: Iterable[Row], *more: str) -> tuple[Row, ...]:
    """The same rows where `more` is told as well."""
    return tuple(Row(row.answer, (*row.told, *more)) for row in rows)


def within(record: str, rows: Iterable[Row]) -> tuple[Row, ...]:
    """The same rows, of a record that the facts hold."""
    return tuple(Row(row.answer, tuple(_inner(record, name) for name in row.told)) for row in rows)


def _inner(record: str, name: str) -> str:
    bare = name.removeprefix("not ")
    return f"not {record}.{bare}" if bare != name else f"{record}.{name}"


def facts_of(kind: type[Any], truths: frozenset[str]) -> Any:
    """The facts of this kind in which `truths` are true, and nothing else."""
    unknown = truths - set(paths(kind))
    assert not unknown, f"{kind.__name__} has no {', '.join(sorted(unknown))}"
    return _built(kind, truths)


def paths(kind: type[Any], before: str = "") -> Iterator[str]:
    """The names of all truths there can be about facts of this kind; records that may be missing count as one."""
    for name, inner, may_be_missing in _fields(kind):
        if inner is bool or may_be_missing:
            yield before + name
        if inner is not bool:
            yield from paths(inner, f"{before}{name}.")


_known: dict[Any, list[tuple[str, type[Any], bool]]] = {}


def _fields(kind: type[Any]) -> list[tuple[str, type[Any], bool]]:
    """Name, type and whether it may be missing, of truths and records."""
    if kind not in _known:
        hints = typing.get_type_hints(kind)
        parts = [(name, *without_none(hint)) for name, hint in hints.items()]
        _known[kind] = [part for part in parts if part[1] is bool or issubclass(part[1], msgspec.Struct)]
    return _known[kind]


def _built(kind: type[Any], truths: frozenset[str]) -> Any:
    if not issubclass(kind, msgspec.Struct):
        return kind()
    deeper: dict[str, set[str]] = {}
    for name in truths:
        record, dot, rest = name.partition(".")
        if dot:
            deeper.setdefault(record, set()).add(rest)
    values: dict[str, Any] = dict.fromkeys(kind.__struct_fields__, 1)
    for name, inner, may_be_missing in _fields(kind):
        if inner is bool:
            values[name] = name in truths
        elif may_be_missing and name not in deeper and name not in truths:
            values[name] = None
        else:
            values[name] = _built(inner, frozenset(deeper.get(name, ())))
    return kind(**values)


def wrong_rows(policy: Policy[Any], about: Table) -> list[str]:
    """The rows whose answer is not the policy's."""
    return [
        f"{'yes' if row.answer else 'no'}: {', '.join(row.told) or '(nothing)'}"
        for row in about.rows
        if policy.allows(facts_of(about.kind, about.truths(row))) is not row.answer
    ]


def unproven(policy: Policy[Any], about: Table) -> dict[str, set[bool]]:
    """Truths that the policy reads and the table does not prove: name → values at which no row depends on it.

    A row depends on a truth if the answer is another one where only that is otherwise. A table in which each
    truth has such a row at either value tells the policy from any that takes the truth for granted, or ignores it.
    Of a record that may be missing one such row is enough.
    """
    missing: dict[str, set[bool]] = {}
    for name in read_by(policy, about):
        proven = {value for value in (False, True) if _proves(policy, about, name, value)}
        if proven != {False, True} and not (proven and name in _records(about.kind)):
            missing[name] = {False, True} - proven
    return missing


def _proves(policy: Policy[Any], about: Table, name: str, value: bool) -> bool:
    for row in about.rows:
        truths = about.truths(row)
        is_true = name in truths or any(one.startswith(f"{name}.") for one in truths)
        if is_true is value:
            answer = policy.allows(_built(about.kind, _otherwise(truths, name)))
            if answer is not row.answer:
                return True
    return False


def _otherwise(truths: frozenset[str], name: str) -> frozenset[str]:
    """The situation in which only this is otherwise; what is known of a record goes with it."""
    without = frozenset(one for one in truths if one != name and not one.startswith(f"{name}."))
    return without if without != truths else truths | {name}


def _records(kind: type[Any], before: str = "") -> Iterator[str]:
    """The names of records that may be missing."""
    for name, inner, may_be_missing in _fields(kind):
        if inner is not bool:
            if may_be_missing:
                yield before + name
            yield from _records(inner, f"{before}{name}.")


@functools.cache
def read_by(policy: Policy[Any], about: Table) -> set[str]:
    """What the policy reads in the table's rows, and in those that differ from one of them by one truth."""
    seen: set[str] = set()
    names = set(paths(about.kind))
    for row in about.rows:
        truths = about.truths(row)
        for situation in [truths, *(_otherwise(truths, name) for name in names)]:
            policy.allows(_Watched(_built(about.kind, situation), seen, ""))
    return seen & names


class _Watched:
    """Facts that note what is read of them."""

    def __init__(self, facts: Any, seen: set[str], before: str) -> None:
        self._told = (facts, seen, before)

    def __getattr__(self, name: str) -> Any:
        facts, seen, before = self._told
        seen.add(before + name)
        value = getattr(facts, name)
        return _Watched(value, seen, f"{before}{name}.") if isinstance(value, msgspec.Struct) else value


Tables = Mapping[Any, Table]
"""Ability → its table."""
