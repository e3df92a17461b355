# SPDX-License-Identifier: AGPL-3.0-or-later
"""Declared rules: which differences are meant to be, and who says so until when.

A rule is for routes (globs of their stable names) and fields (globs: `*` is one step, `**` any number). Facts come
first; a rule judges them afterwards and is named where it explains one away. The one thing that the diff engine asks a
rule beforehand is whether an array has an order.

What a rule may say of its fields (`Treat`) is closed. Rules come from a file (`rules`) and each has a reason, an owner
and a day on which it ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from proxy.experiment.diff import Fact, Place, field_of, json_type
from proxy.experiment.outcome import Kind, Severity
from proxy.experiment.values import ValueClass, classify, moment_of


class Treat(StrEnum):
    """What a rule says about its fields."""

    IGNORE = "ignore"
    """Whatever is there or below, or not."""
    PRESENT = "present"
    """Both have it; what it is does not matter."""
    SAME_TYPE = "same_type"
    """Both have it, of one JSON type; below it nothing matters."""
    SAME_CLASS = "same_class"
    """Both have it, and both look alike: two timestamps, two UUIDs, two tokens."""
    OPTIONAL = "optional"
    """One side may lack it. Where both have it, it counts."""
    UNORDERED = "unordered"
    """An array whose order means nothing."""
    NUMBER = "number"
    """Two numbers at most `within` apart."""
    TIME = "time"
    """Two timestamps at most `within` seconds apart."""
    MASKED = "masked"
    """Two texts that are equal once everything that matches `pattern` is taken out."""
    SEVERITY = "severity"
    """Counts, but no more than `severity` says."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One declared rule. `side_loaded`: only for the lists beside the one that the answer is about."""

    name: str
    routes: tuple[str, ...]
    fields: tuple[str, ...]
    treat: Treat
    reason: str
    owner: str
    expires: date
    within: float = 0.0
    pattern: str = ""
    severity: Severity = Severity.ERR
    side_loaded: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say about a fact: explained away by `rule` (None: it counts, this much)."""

    rule: str | None = None
    severity: Severity = Severity.ERR


_MOST_FIELDS = 10_000
"""Fields whose rules are remembered for a route; answers with more names than this are looked up anew."""


@dataclass(eq=False)
class RouteRules:
    """The rules of one route, remembered by field."""

    rules: tuple[Rule, ...]
    _by_field: dict[str, tuple[tuple[Rule, bool], ...]] = field(default_factory=dict)

    @cached_property
    def _globs(self) -> list[tuple[Rule, re.Pattern[str]]]:
        return [(rule, _glob(one)) for rule in self.rules for one in rule.fields]

    def at(self, name: str) -> tuple[tuple[Rule, bool], ...]:
        """The rules that cover a field, each with whether it is the field itself (else it lies below)."""
        known = self._by_field.get(name)
        if known is None:
            matches = ((rule, glob.fullmatch(name)) for rule, glob in self._globs)
            known = tuple((rule, not found["below"]) for rule, found in matches if found)
            if len(self._by_field) < _MOST_FIELDS:
                self._by_field[name] = known
        return known

    def view(self, primary: str | None = None) -> RulesView:
        """The rules as they hold for one answer; `primary` is the list that it is about."""
        return RulesView(self, None if primary is None else f"/body/{primary}")


@dataclass(frozen=True, slots=True)
class RulesView:
    """What a walk asks, and the judgement of what it found."""

    of: RouteRules
    primary: str | None

    def unordered(self, place: Place) -> bool:
        """Whether the array at `place` has no order."""
        name = field_of(place)
        return any(
            is_itself and rule.treat is Treat.UNORDERED and self._holds(rule, name)
            for rule, is_itself in self.of.at(name)
        )

    def accepts(self, fact: Fact) -> bool:
        """Whether a rule explains the fact away."""
        return self.judge(fact).rule is not None

    def judge(self, fact: Fact) -> Verdict:
        """The first rule that explains the fact away, else how much it counts."""
        name = fact.field
        severity = Severity.ERR
        for rule, is_itself in self.of.at(name):
            if not self._holds(rule, name):
                continue
            if rule.treat is Treat.SEVERITY:
                severity = rule.severity
            elif _explains(rule, fact, is_itself):
                return Verdict(rule.name)
        return Verdict(None, severity)

    def _holds(self, rule: Rule, name: str) -> bool:
        return not rule.side_loaded or (
            self.primary is not None and name != self.primary and not name.startswith(f"{self.primary}/")
        )


class Rules:
    """All declared rules. `Rules()` is none."""

    def __init__(self, declared: Iterable[Rule] = ()) -> None:
        self.declared = tuple(declared)
        self._by_route: dict[str, RouteRules] = {}

    def of(self, route: str) -> RouteRules:
        """The rules of a route, by its stable name."""
        known = self._by_route.get(route)
        if known is None:
            chosen = tuple(
                rule for rule in self.declared if any(fnmatchcase(route, one) for one in rule.routes)
            )
            known = RouteRules(chosen)
            if len(self._by_route) < _MOST_FIELDS:
                self._by_route[route] = known
        return known


def _glob(pattern: str) -> re.Pattern[str]:
    """A glob of fields as a regular expression; the group `below` is what lies below a field that matches."""
    parts = [
        "(?:/[^/]+)*?" if step == "**" else "/" + "[^/]*".join(map(re.escape, step.split("*")))
        for step in pattern.split("/")[1:]
    ]
    return re.compile(f"{''.join(parts)}(?P<below>(?:/.*)?)", re.DOTALL)


def _explains(rule: Rule, fact: Fact, is_itself: bool) -> bool:
    """Whether the rule's treatment covers the fact."""
    there = fact.kind not in (Kind.MISSING, Kind.EXTRA)
    match rule.treat:
        case Treat.IGNORE:
            return True
        case Treat.PRESENT:
            return there or not is_itself
        case Treat.SAME_TYPE:
            return not is_itself or (there and json_type(fact.control) == json_type(fact.candidate))
        case _ if not is_itself:
            return False
        case Treat.OPTIONAL:
            return not there
        case Treat.UNORDERED:
            return fact.kind is Kind.ORDER
        case _:
            return fact.kind is Kind.VALUE and _alike(rule, fact.control, fact.candidate)


def _alike(rule: Rule, control: Any, candidate: Any) -> bool:
    """Whether two values are as good as equal by the rule."""
    match rule.treat:
        case Treat.SAME_CLASS:
            return look_alike(control, candidate)
        case Treat.NUMBER if classify(control) is classify(candidate) is ValueClass.NUMBER:
            return bool(abs(control - candidate) <= rule.within)
        case Treat.TIME:
            one, other = moment_of(control), moment_of(candidate)
            return one is not None and other is not None and abs((one - other).total_seconds()) <= rule.within
        case Treat.MASKED if isinstance(control, str) and isinstance(candidate, str):
            return re.sub(rule.pattern, "", control) == re.sub(rule.pattern, "", candidate)
        case _:
            return False


_OPAQUE = frozenset((ValueClass.TOKEN, ValueClass.DIGEST))


def look_alike(control: Any, candidate: Any) -> bool:
    """Whether two values are of one class. Digests and tokens are one: a drawn text may happen to be either."""
    one, other = classify(control), classify(candidate)
    return one is other or (one in _OPAQUE and other in _OPAQUE)
