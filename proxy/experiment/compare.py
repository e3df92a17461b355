# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a pair to a verdict: facts first, then the rules, then one of the closed outcomes. Pure; never raises.

In this order, the first that holds decides:

1. a side gave no complete answer, or a 5xx        error_one_side, or not comparable
2. a write may have come between the two           not comparable: raced
3. a side said 304                                 not comparable: not_modified
4. the bodies are of different kinds               not comparable: content_type, with the finding
5. neither body is what its content type says      not comparable: unreadable, unless they are equal to the byte
6. nothing differs                                 match
7. rules explain all that differs                  match_after_normalizing
8. else                                            mismatch
"""

from __future__ import annotations

import hashlib

from proxy.experiment.diff import (
    Body,
    BodyKind,
    Fact,
    UnreadableError,
    cookie_facts,
    field_of,
    header_facts,
    kind_of,
    media_type,
    place_of,
    primary_list,
    read_body,
    surely_equal,
    walk,
)
from proxy.experiment.judge import Rules, RulesView
from proxy.experiment.observation import Failure, Observation, Pair
from proxy.experiment.outcome import Comparison, Difference, Finding, Kind, Outcome, Severity, Why

_STATUS = place_of("status")
_BODY = place_of("body")

_NOTHING_SAID = {
    Failure.TIMEOUT: Why.TIMEOUT,
    Failure.CANCELLED: Why.CANCELLED,
    Failure.TOO_LARGE: Why.TOO_LARGE,
    Failure.ENCODING: Why.ENCODING,
}
"""Failures that say nothing about the side's answer; the others are errors of that side."""

_MOST_FINDINGS = 200
"""Different findings of one pair. One with more is wrong as a whole."""

_LONGEST = 500
"""Characters of a field or pointer; a longer one is cut, and ends in a digest of it all."""


class Comparer:
    """Compares pairs by one set of rules."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def compare(self, pair: Pair) -> Comparison:
        """What the pair came to."""
        control, candidate = pair.control, pair.candidate
        failed = _failures(pair)
        if failed is not None:
            return failed
        if pair.raced:
            return Comparison(Outcome.NOT_COMPARABLE, Why.RACED)
        if 304 in (control.status, candidate.status):
            return Comparison(Outcome.NOT_COMPARABLE, Why.NOT_MODIFIED)
        facts = header_facts(control.headers, candidate.headers)
        facts += cookie_facts(control.headers, candidate.headers)
        view = self._rules.of(pair.route).view()
        why = None
        if control.status != candidate.status:
            facts.append(Fact(_STATUS, Kind.STATUS, control.status, candidate.status))
        # A refusal and a success have nothing in common that would be worth telling apart.
        if control.status // 100 == candidate.status // 100:
            found, view, why = self._in_bodies(pair, view)
            facts += found
        return _verdict(pair.route, facts, view, why)

    def _in_bodies(self, pair: Pair, view: RulesView) -> tuple[list[Fact], RulesView, Why | None]:
        control, candidate = pair.control, pair.candidate
        kind = kind_of(media_type(control.headers), control.body)
        other_kind = kind_of(media_type(candidate.headers), candidate.body)
        if kind is not other_kind:
            return [], view, Why.CONTENT_TYPE
        if control.body == candidate.body:
            return [], view, None
        one, other = _read(kind, control.body), _read(kind, candidate.body)
        if one is None and other is None:
            return [], view, Why.UNREADABLE
        if one is None or other is None:
            said = (str(kind), f"not {kind}")
            return [Fact(_BODY, Kind.BODY, *(said if other is None else said[::-1]))], view, None
        if kind is BodyKind.JSON and surely_equal(one.value, other.value):
            return [], view, None
        view = self._rules.of(pair.route).view(primary_list(one.value))
        return walk(one.value, other.value, _BODY, view), view, None


def fingerprint(route: str, field: str, kind: Kind) -> str:
    """Twelve hexadecimal digits that are the same for the same route, field and kind in every run."""
    return hashlib.sha256(f"{route}\0{field}\0{kind}".encode()).hexdigest()[:12]


def _read(kind: BodyKind, content: bytes) -> Body | None:
    try:
        return read_body(kind, content)
    except UnreadableError:
        return None


def _failures(pair: Pair) -> Comparison | None:
    """The verdict where a side failed."""
    control, candidate = pair.control, pair.candidate
    for failure in (control.failure, candidate.failure):
        if failure in _NOTHING_SAID:
            return Comparison(Outcome.NOT_COMPARABLE, _NOTHING_SAID[failure])
    failed, other_failed = _is_error(control), _is_error(candidate)
    if failed and other_failed:
        return Comparison(Outcome.NOT_COMPARABLE, Why.ERROR_BOTH_SIDES)
    if not failed and not other_failed:
        return None
    difference = Difference("/status", Kind.STATUS, _said(control), _said(candidate))
    # A failure of the old side is no fault of the new one, but worth knowing.
    severity = Severity.ERR if other_failed else Severity.WARN
    finding = Finding(fingerprint(pair.route, "/status", Kind.STATUS), "/status", difference, severity)
    return Comparison(Outcome.ERROR_ONE_SIDE, findings=(finding,))


def _is_error(one: Observation) -> bool:
    return one.failure is not None or one.status >= 500


def _said(one: Observation) -> int | str:
    return one.status if one.failure is None else str(one.failure)


def _verdict(route: str, facts: list[Fact], view: RulesView, why: Why | None) -> Comparison:
    """Judges the facts; those of one fingerprint become one finding."""
    applied: dict[str, None] = {}
    counted: dict[tuple[str, Kind], tuple[Fact, Severity, int]] = {}
    for fact in facts:
        verdict = view.judge(fact)
        if verdict.rule is not None:
            applied.setdefault(verdict.rule)
            continue
        key = (field_of(fact.place), fact.kind)
        first, severity, places = counted.get(key, (fact, verdict.severity, 0))
        counted[key] = (first, severity, places + 1)
    findings = tuple(
        Finding(
            fingerprint(route, field, kind),
            _cut(field),
            Difference(_cut(fact.pointer), kind, fact.control, fact.candidate),
            severity,
            places,
        )
        for (field, kind), (fact, severity, places) in sorted(counted.items())[:_MOST_FINDINGS]
    )
    return Comparison(_outcome(facts, findings, why), why, findings, tuple(applied))


def _outcome(facts: list[Fact], findings: tuple[Finding, ...], why: Why | None) -> Outcome:
    if why is not None:
        return Outcome.NOT_COMPARABLE
    if findings:
        return Outcome.MISMATCH
    return Outcome.MATCH_AFTER_NORMALIZING if facts else Outcome.MATCH


def _cut(pointer: str) -> str:
    if len(pointer) <= _LONGEST:
        return pointer
    return f"{pointer[: _LONGEST - 14]}…{hashlib.sha256(pointer.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
