# SPDX-License-Identifier: AGPL-3.0-or-later
"""A recorded case, prepared: what an answer has to say, and by which rules it is judged."""

from __future__ import annotations

from typing import Any

from contracts.compare.allowance import Allowance, worded
from contracts.compare.answer import APART_COOKIES, Answer, actual_headers, recorded_headers
from contracts.corpus import Read, Response
from contracts.notation import JSON_MARKER, MARKERS, NotReadableError, lines_are_cut, marker_of, read
from proxy.experiment.diff import Fact, escaped, place_of, primary_list, walk
from proxy.experiment.diff.json import read_json
from proxy.experiment.outcome import Difference, Kind

_ORIGINAL_ONLY = ("sha256", "length")
"""What the notation tells of the original bytes; only `$binary` has to be the same to the byte."""

_ERROR_MEMBERS = frozenset(("error", "errors", "exception"))
_EXCERPT = 200
_HEADERS = place_of("response", "headers")
_BODY = place_of("response", "body")


def differences(case: Read, answer: Answer, apart: frozenset[str] = APART_COOKIES) -> list[Difference]:
    """How `answer` differs in meaning from a recorded read."""
    return Expectation.of(case).differences(answer, apart)


class Expectation:
    """Worth keeping where a case is compared more than once: decoding a recording takes most of the time."""

    def __init__(
        self, response: Response, noise: tuple[str, ...] = (), unordered: tuple[str, ...] = ()
    ) -> None:
        """`noise` and `unordered` are JSON pointers from the root of the recorded line."""
        self.response = response
        body = read_json(bytes(response.body))
        self._marker = marker_of(body)
        self._is_cut = self._marker == "$lines" and lines_are_cut(body)
        self._allowance = Allowance(noise, unordered)
        if self._marker == JSON_MARKER:
            _mark_side_loads(body, self._allowance)
        self._facts = worded(_facts(self._marker, body))

    @classmethod
    def of(cls, case: Read) -> Expectation:
        """What a recorded read expects."""
        return cls(case.response, case.noise, case.unordered)

    def differences(self, answer: Answer, apart: frozenset[str] = APART_COOKIES) -> list[Difference]:
        """How `answer` differs in meaning; cookies named in `apart` are not compared."""
        recorded = self.response
        if recorded.status == 500:
            return [] if self._is_error(answer) else [_status(recorded, answer)]
        if answer.status != recorded.status:
            return [_status(recorded, answer)]
        expected = recorded_headers(recorded, apart)
        actual = actual_headers(answer, recorded.headers, apart)
        found = walk(expected, actual, _HEADERS, self._allowance) + self._in_body(answer)
        root = {"response": {"headers": expected, "body": self._facts}}
        counted = self._allowance.judge(found, root)
        return sorted((fact.difference() for fact in counted), key=lambda one: one.pointer)

    def _in_body(self, answer: Answer) -> list[Fact]:
        try:
            facts = read(self._marker, answer.body)
        except NotReadableError as error:
            excerpt = answer.body[:_EXCERPT].decode("utf-8", "replace")
            return [Fact(_BODY, Kind.BODY, self._marker or "JSON", f"{error}: {excerpt}")]
        if self._is_cut:
            facts = {"$lines": facts["$lines"][: len(self._facts["$lines"])]}
        return walk(self._facts, facts, _BODY, self._allowance)

    def _is_error(self, answer: Answer) -> bool:
        """Whether an answer is as good as a recorded bug: an error, told in a form that clients know."""
        if not 400 <= answer.status <= 599:
            return False
        if self._marker != JSON_MARKER:
            return True
        try:
            told = read(JSON_MARKER, answer.body)
        except NotReadableError:
            return False
        return isinstance(told, dict) and not _ERROR_MEMBERS.isdisjoint(told)


def _facts(marker: str, body: Any) -> Any:
    """The comparable part of a recorded body."""
    if marker == "$html":
        return {marker: {name: fact for name, fact in body[marker].items() if name not in _ORIGINAL_ONLY}}
    if marker == "$lines" and lines_are_cut(body):
        return {marker: body[marker][:-1]}
    return {marker: body[marker]} if marker in MARKERS else body


def _mark_side_loads(body: Any, allowance: Allowance) -> None:
    """Side-loaded records come in any order: they are the arrays beside the one that `meta.root` names."""
    root = primary_list(body)
    if root is None:
        return
    for name, value in body.items():
        if name != root and isinstance(value, list):
            allowance.mark_unordered_records(f"/response/body/{escaped(name)}", value)


def _status(recorded: Response, answer: Answer) -> Difference:
    return Difference("/response/status", Kind.STATUS, recorded.status, answer.status)
