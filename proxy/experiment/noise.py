# SPDX-License-Identifier: AGPL-3.0-or-later
"""Learning what differs by itself: the same safe request twice to the old side, and what came out differently.

A field is noise where the two sides differ from each other hardly more often than the old side from itself. That is
Diffy's measure: of the shares of answers in which the field differed, across (a) and within (n), the difference has to
be more than 20 % of their sum and more than 0.03 % of all answers, else it is noise.

A field is taken with the *kind* of its difference and the *sort* of its values (`timestamp`, `uuid`, `ordering` …). So
a timestamp that turns into null, or into a word, is another thing than the timestamp that always differs, and so is a
wrong value beside it in the same object.

What was learned is *proposed* as rules (`propose`); it is applied by nobody until it stands in the file of rules.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import msgspec

from proxy.experiment.judge import Treat, look_alike
from proxy.experiment.outcome import Comparison, Difference, Finding, Kind, Outcome
from proxy.experiment.values import ValueClass, classify

RELATIVE = 0.20
ABSOLUTE = 0.0003
_Z = 1.96
"""95 % confidence, both ends."""


class Noise(msgspec.Struct, frozen=True):
    """A field that differed between two answers of the old side.

    `pairs` pairs of such answers were compared on the route, and it differed in `differed` of them; of the `raw_pairs`
    pairs of both sides, in `raw_differed`. `confidence` is the lower bound (95 %) of the share in which it differs by
    itself: 0.9 from few samples is not much.
    """

    route: str
    field: str
    kind: Kind
    sort: str
    pairs: int
    differed: int
    raw_pairs: int
    raw_differed: int
    confidence: float

    @property
    def explains(self) -> bool:
        """Whether noise explains all that was seen across the sides."""
        return not exceeds(self.raw_differed, self.raw_pairs, self.differed, self.pairs)


def exceeds(raw_differed: int, raw_pairs: int, differed: int, pairs: int) -> bool:
    """Whether the sides differ from each other more than the old one from itself, by Diffy's measure.

    Without any pair of the old side's own, everything that differs exceeds.
    """
    across = raw_differed / raw_pairs if raw_pairs else 0.0
    within = differed / pairs if pairs else 0.0
    if across <= within:
        return False
    return (across - within) / (across + within) > RELATIVE and across - within > ABSOLUTE


_COARSE = {ValueClass.DIGEST: ValueClass.TOKEN, ValueClass.LABEL: ValueClass.TEXT}
_FREE = frozenset((ValueClass.TOKEN, ValueClass.DIGEST, ValueClass.LABEL, ValueClass.TEXT))
"""Texts without a form of their own: words at random fall into any of these."""


def sort_of(difference: Difference) -> str:
    """What sort of values differ: a value class, `ordering`, `presence`, `type` or `mixed`."""
    match difference.kind:
        case Kind.ORDER:
            return "ordering"
        case Kind.MISSING | Kind.EXTRA:
            return "presence"
        case Kind.VALUE if look_alike(difference.control, difference.candidate):
            sort = classify(difference.control)
            return str(_COARSE.get(sort, sort))
        case Kind.VALUE:
            sorts = {classify(difference.control), classify(difference.candidate)}
            return str(ValueClass.TEXT) if sorts <= _FREE else "mixed"
        case kind:
            return str(kind)


_Key = tuple[str, str, Kind, str]


def _key(route: str, finding: Finding) -> _Key:
    difference = finding.difference
    return route, finding.field, difference.kind, sort_of(difference)


class NoiseLearner:
    """Counts, in bounded memory: what differs first is kept, fields beyond `most` are not learned (`dropped`)."""

    def __init__(self, most: int = 5_000) -> None:
        self._most = most
        self._pairs: dict[str, int] = {}
        self._raw_pairs: dict[str, int] = {}
        self._differed: dict[_Key, int] = {}
        self._raw_differed: dict[_Key, int] = {}
        self.dropped = 0

    def add(self, route: str, comparison: Comparison) -> None:
        """A comparison of two answers of the old side to the same request."""
        self._add(route, comparison, self._pairs, self._differed)

    def add_raw(self, route: str, comparison: Comparison) -> None:
        """A comparison of the two sides."""
        self._add(route, comparison, self._raw_pairs, self._raw_differed)

    def explains(self, route: str, finding: Finding) -> bool:
        """Whether a finding is noise by what was learned so far."""
        key = _key(route, finding)
        return key in self._differed and self._noise(key).explains

    def fields(self) -> list[Noise]:
        """What differed between answers of the old side, the most certain first."""
        return sorted(
            map(self._noise, self._differed), key=lambda one: (-one.confidence, one.route, one.field)
        )

    def _add(
        self, route: str, comparison: Comparison, pairs: dict[str, int], differed: dict[_Key, int]
    ) -> None:
        if comparison.outcome is Outcome.NOT_COMPARABLE:
            return
        if route in pairs or len(pairs) < self._most:
            pairs[route] = pairs.get(route, 0) + 1
        for finding in comparison.findings:
            key = _key(route, finding)
            if key in differed or len(differed) < self._most:
                differed[key] = differed.get(key, 0) + 1
            else:
                self.dropped += 1

    def _noise(self, key: _Key) -> Noise:
        route = key[0]
        pairs, differed = self._pairs.get(route, 0), self._differed[key]
        return Noise(
            *key,
            pairs=pairs,
            differed=differed,
            raw_pairs=self._raw_pairs.get(route, 0),
            raw_differed=self._raw_differed.get(key, 0),
            confidence=lower_bound(differed, pairs),
        )


def lower_bound(hits: int, of: int) -> float:
    """The lower end of Wilson's interval (95 %) for a share of `hits` in `of`."""
    if of == 0:
        return 0.0
    share, square = hits / of, _Z * _Z
    centre = share + square / (2 * of)
    spread = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(0.0, (centre - spread) / (1 + square / of))


_TREATS = {"ordering": Treat.UNORDERED, "presence": Treat.OPTIONAL}
_CLASSES = frozenset(ValueClass) - {ValueClass.TEXT, ValueClass.LABEL, ValueClass.NUMBER, ValueClass.BOOLEAN}


def propose(noise: Iterable[Noise], owner: str, today: date, days: int = 30) -> str:
    """Rules for what was learned, as text for the file of rules; each ends after `days`. Empty where there are none.

    Fields that change their type, or have no status or body in common, are not proposed: they are told, not excused.
    """
    by_rule: dict[tuple[str, str, Treat, str], list[Noise]] = {}
    for one in noise:
        treat = _treat(one)
        if treat is not None and one.explains:
            by_rule.setdefault((one.route, one.field, treat, one.sort), []).append(one)
    used: set[str] = set()
    return "".join(
        _rule_text(key, ones, _name(key, used), owner, today + timedelta(days=days))
        for key, ones in sorted(by_rule.items())
    )


def _treat(one: Noise) -> Treat | None:
    if one.kind is Kind.VALUE:
        return Treat.SAME_CLASS if one.sort in _CLASSES else Treat.SAME_TYPE
    return _TREATS.get(one.sort)


def _rule_text(
    key: tuple[str, str, Treat, str], ones: Sequence[Noise], name: str, owner: str, expires: date
) -> str:
    route, field, treat, sort = key
    differed, pairs = max(one.differed for one in ones), max(one.pairs for one in ones)
    confidence = max(one.confidence for one in ones)
    reason = (
        f"Learned ({sort}): it differed in {differed} of {pairs} pairs of the old side's own answers, "
        f"at least {confidence:.0%} of the time."
    )
    lines = [
        f"  - name: {name}",
        f"    routes: [{json.dumps(route)}]",
        f"    fields: [{json.dumps(field)}]",
        f"    treat: {treat}",
        f"    reason: {json.dumps(reason)}",
        f"    owner: {json.dumps(owner)}",
        f"    expires: {expires}",
    ]
    return "\n".join(lines) + "\n"


def _name(key: tuple[str, str, Treat, str], used: set[str]) -> str:
    words = "".join(character if character.isalnum() else "-" for character in f"{key[0]}{key[1]}".lower())
    base = (
        "learned-"
        + "-".join(part for part in words.encode("ascii", "ignore").decode().split("-") if part)[:44]
    )
    base = base.rstrip("-")
    name, number = base, 2
    while name in used:
        name, number = f"{base}-{number}", number + 1
    used.add(name)
    return name
