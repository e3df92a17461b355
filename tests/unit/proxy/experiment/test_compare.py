# SPDX-License-Identifier: AGPL-3.0-or-later
"""Each fault has exactly its outcome and its pointer."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.experiment.compare import Comparer, fingerprint
from proxy.experiment.judge import Rule, Rules, Treat
from proxy.experiment.observation import Failure, Headers, Observation
from proxy.experiment.outcome import Comparison, Kind, Outcome, Severity, Why
from tests.unit.proxy.experiment.pairs import JSON, answer, pair, places

STRICT = Comparer(Rules())
LUNCH: dict[str, Any] = {"id": 7, "title": "Lunch", "closed_at": None, "options": ["a", "b", "c"], "count": 3}
TEA: dict[str, Any] = {"id": 5, "title": "Tea", "closed_at": None, "options": [], "count": 0}
BODY: dict[str, Any] = {"polls": [LUNCH, TEA], "meta": {"root": "polls", "total": 2}}
TURNED = {**BODY, "polls": [TEA, LUNCH]}


def changed(**poll: Any) -> dict[str, Any]:
    first = {name: value for name, value in {**LUNCH, **poll}.items() if value != "gone"}
    return {**BODY, "polls": [first, TEA]}


def verdict(
    control: Observation, candidate: Observation, comparer: Comparer = STRICT, **more: Any
) -> Comparison:
    return comparer.compare(pair(control, candidate, **more))


@pytest.mark.parametrize(
    ("candidate", "pointer", "kind"),
    [
        (changed(title="Dinner"), "/body/polls/0/title", Kind.VALUE),
        (changed(title="gone"), "/body/polls/0/title", Kind.MISSING),
        (changed(closed_at="gone"), "/body/polls/0/closed_at", Kind.MISSING),
        (changed(more=None), "/body/polls/0/more", Kind.EXTRA),
        (changed(count="3"), "/body/polls/0/count", Kind.TYPE),
        (changed(count=True), "/body/polls/0/count", Kind.TYPE),
        (changed(options=["b", "a", "c"]), "/body/polls/0/options", Kind.ORDER),
        (changed(options=["a", "b"]), "/body/polls/0/options/2", Kind.MISSING),
        (TURNED, "/body/polls", Kind.ORDER),
        ({**BODY, "polls": [LUNCH]}, "/body/polls/1", Kind.MISSING),
        (b"<h1>oops</h1>", "/body", Kind.BODY),
        (b"", "/body", Kind.BODY),
    ],
)
def test_a_fault_in_the_body(candidate: Any, pointer: str, kind: Kind) -> None:
    found = verdict(answer(BODY), answer(candidate))
    assert (found.outcome, found.why, places(found)) == (Outcome.MISMATCH, None, [(pointer, kind)])
    assert found.findings[0].severity is Severity.ERR


def test_equal_in_meaning_is_a_match() -> None:
    other = json.dumps(changed(count=3.0), indent=2).encode()
    assert verdict(answer(BODY), answer(other)) == Comparison(Outcome.MATCH)
    assert verdict(answer(b"[1"), answer(b"[1")) == Comparison(Outcome.MATCH)


@pytest.mark.parametrize(
    ("control", "candidate", "outcome", "why"),
    [
        (answer(BODY), answer(failure=Failure.RESET), Outcome.ERROR_ONE_SIDE, None),
        (answer(BODY), answer(failure=Failure.UNREACHABLE), Outcome.ERROR_ONE_SIDE, None),
        (answer(BODY), answer(failure=Failure.MALFORMED), Outcome.ERROR_ONE_SIDE, None),
        (answer(BODY), answer(b"", 500), Outcome.ERROR_ONE_SIDE, None),
        (answer(b"", 503), answer(BODY), Outcome.ERROR_ONE_SIDE, None),
        (answer(b"", 503), answer(b"", 500), Outcome.NOT_COMPARABLE, Why.ERROR_BOTH_SIDES),
        (answer(b"", 503), answer(failure=Failure.RESET), Outcome.NOT_COMPARABLE, Why.ERROR_BOTH_SIDES),
        (answer(BODY), answer(failure=Failure.TIMEOUT), Outcome.NOT_COMPARABLE, Why.TIMEOUT),
        (answer(failure=Failure.CANCELLED), answer(BODY), Outcome.NOT_COMPARABLE, Why.CANCELLED),
        (answer(BODY), answer(failure=Failure.TOO_LARGE), Outcome.NOT_COMPARABLE, Why.TOO_LARGE),
        (answer(BODY), answer(failure=Failure.ENCODING), Outcome.NOT_COMPARABLE, Why.ENCODING),
        (answer(b"", 500), answer(failure=Failure.TIMEOUT), Outcome.NOT_COMPARABLE, Why.TIMEOUT),
        (answer(b"", 304), answer(BODY), Outcome.NOT_COMPARABLE, Why.NOT_MODIFIED),
        (answer(b"[1"), answer(b"[2"), Outcome.NOT_COMPARABLE, Why.UNREADABLE),
    ],
)
def test_failures(control: Observation, candidate: Observation, outcome: Outcome, why: Why | None) -> None:
    found = verdict(control, candidate)
    assert (found.outcome, found.why) == (outcome, why)
    expected = [("/status", Kind.STATUS)] if outcome is Outcome.ERROR_ONE_SIDE else []
    assert places(found) == expected


def test_a_failure_of_the_old_side_blocks_nothing() -> None:
    assert verdict(answer(b"", 500), answer(BODY)).findings[0].severity is Severity.WARN
    assert verdict(answer(BODY), answer(b"", 500)).findings[0].severity is Severity.ERR


def test_a_race_hides_differences_and_matches_but_no_failure() -> None:
    for other in (BODY, changed(title="x")):
        found = verdict(answer(BODY), answer(other), raced=True)
        assert found == Comparison(Outcome.NOT_COMPARABLE, Why.RACED)
    assert verdict(answer(BODY), answer(b"", 500), raced=True).outcome is Outcome.ERROR_ONE_SIDE


def test_statuses_below_500() -> None:
    found = verdict(answer(BODY), answer({"error": "no"}, 404))
    assert (found.outcome, places(found)) == (Outcome.MISMATCH, [("/status", Kind.STATUS)])
    found = verdict(answer(BODY), answer(changed(title="x"), 201))
    assert places(found) == [("/body/polls/0/title", Kind.VALUE), ("/status", Kind.STATUS)]


def test_bodies_of_two_kinds_are_not_compared_but_told() -> None:
    html: Headers = (("content-type", "text/html"),)
    found = verdict(answer(BODY), answer(BODY, headers=html))
    assert (found.outcome, found.why) == (Outcome.NOT_COMPARABLE, Why.CONTENT_TYPE)
    assert places(found) == [("/headers/content-type", Kind.VALUE)]
    assert found.findings[0].severity is Severity.ERR


@pytest.mark.parametrize(
    ("media", "one", "other", "pointer", "kind"),
    [
        ("text/html", b"<p>\na\n</p>", b"<p>\nb\n</p>", "/body/1", Kind.VALUE),
        ("text/plain", b"a\nb\nc", b"a\nc", "/body/1", Kind.MISSING),
        ("text/csv", b'a,"b"\n1,2\n', b"a,b\n1,3\n", "/body/1/1", Kind.VALUE),
        ("image/png", b"\x89PNG", b"\x89PNX", "/body", Kind.VALUE),
        ("text/plain; charset=latin-1", b"\xe9", b"\xe8", "/body/0", Kind.VALUE),
    ],
)
def test_other_bodies(media: str, one: bytes, other: bytes, pointer: str, kind: Kind) -> None:
    headers = (("Content-Type", media),)
    found = verdict(answer(one, headers=headers), answer(other, headers=headers))
    assert (found.outcome, places(found)) == (Outcome.MISMATCH, [(pointer, kind)])
    assert verdict(answer(one, headers=headers), answer(one, headers=headers)).outcome is Outcome.MATCH


def test_csv_is_compared_by_cells() -> None:
    headers = (("Content-Type", "text/csv"),)
    found = verdict(answer(b'a,"b"\r\n', headers=headers), answer(b"a,b\n", headers=headers))
    assert found == Comparison(Outcome.MATCH)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([("Cache-Control", "private, max-age=0")], [("cache-control", "max-age=0,  Private")], []),
        ([("ETag", "1"), ("Date", "x"), ("X-Runtime", "1")], [], []),
        ([("Location", "/a")], [("Location", "/b")], [("/headers/location", Kind.VALUE)]),
        ([("X-Frame-Options", "DENY")], [], [("/headers/x-frame-options", Kind.MISSING)]),
        ([], [("Location", "/b")], [("/headers/location", Kind.EXTRA)]),
        ([("Set-Cookie", "_loomio=1; path=/")], [], []),
        ([], [("Set-Cookie", "csrftoken=1; path=/")], []),
        ([("Set-Cookie", "signed_in=; expires=Thu, 01 Jan 1970 00:00:00 GMT")], [],
         [("/cookies/signed_in", Kind.MISSING)]),
        ([("Set-Cookie", "_loomio=1; HttpOnly; path=/")], [("Set-Cookie", "_loomio=2; path=/")],
         [("/cookies/_loomio/httponly", Kind.VALUE)]),
        ([("Set-Cookie", "own=1; path=/a")], [("Set-Cookie", "own=2; Path=/b")],
         [("/cookies/own/path", Kind.VALUE)]),
        ([("Set-Cookie", "own=1")], [], [("/cookies/own", Kind.MISSING)]),
    ],
)  # fmt: skip
def test_headers_and_cookies(
    one: list[tuple[str, str]], other: list[tuple[str, str]], expected: list[tuple[str, Kind]]
) -> None:
    found = verdict(answer(BODY, headers=(*JSON, *one)), answer(BODY, headers=(*JSON, *other)))
    assert places(found) == expected
    assert found.outcome is (Outcome.MISMATCH if expected else Outcome.MATCH)


def rule(treat: Treat, *fields: str, **more: Any) -> Rule:
    return Rule("r", ("polls#*",), fields, treat, "because", "me", date(2099, 1, 1), **more)


@pytest.mark.parametrize(
    ("declared", "candidate", "outcome"),
    [
        (rule(Treat.IGNORE, "/body/polls/*/title"), changed(title="x"), Outcome.MATCH_AFTER_NORMALIZING),
        (rule(Treat.IGNORE, "/body/polls"), changed(title="x"), Outcome.MATCH_AFTER_NORMALIZING),
        (rule(Treat.IGNORE, "/body/**/title"), changed(title="x"), Outcome.MATCH_AFTER_NORMALIZING),
        (rule(Treat.IGNORE, "/body/polls/*/titl"), changed(title="x"), Outcome.MISMATCH),
        (rule(Treat.SAME_TYPE, "/body/polls/*/count"), changed(count=4), Outcome.MATCH_AFTER_NORMALIZING),
        (rule(Treat.SAME_TYPE, "/body/polls/*/count"), changed(count=None), Outcome.MISMATCH),
        (rule(Treat.SAME_TYPE, "/body/polls/*/count"), changed(count="gone"), Outcome.MISMATCH),
        (rule(Treat.PRESENT, "/body/polls/*/count"), changed(count=None), Outcome.MATCH_AFTER_NORMALIZING),
        (rule(Treat.PRESENT, "/body/polls/*/count"), changed(count="gone"), Outcome.MISMATCH),
        (rule(Treat.OPTIONAL, "/body/polls/*/count"), changed(count="gone"), Outcome.MATCH_AFTER_NORMALIZING),
        (rule(Treat.OPTIONAL, "/body/polls/*/count"), changed(count=4), Outcome.MISMATCH),
        (rule(Treat.NUMBER, "/body/polls/*/count", within=1), changed(count=4), Outcome.MATCH_AFTER_NORMALIZING),
        (rule(Treat.NUMBER, "/body/polls/*/count", within=1), changed(count=4.5), Outcome.MISMATCH),
        (rule(Treat.UNORDERED, "/body/polls/*/options"), changed(options=["c", "b", "a"]),
         Outcome.MATCH_AFTER_NORMALIZING),
        (rule(Treat.UNORDERED, "/body/polls/*/options"), changed(options=["c", "b", "x"]), Outcome.MISMATCH),
        (rule(Treat.UNORDERED, "/body/polls"), TURNED,
         Outcome.MATCH_AFTER_NORMALIZING),
        (rule(Treat.UNORDERED, "/body/*", side_loaded=True), TURNED,
         Outcome.MISMATCH),
        (rule(Treat.MASKED, "/body/polls/*/title", pattern="[A-Z].*"), changed(title="Other"),
         Outcome.MATCH_AFTER_NORMALIZING),
    ],
)  # fmt: skip
def test_rules_explain_what_they_say_and_no_more(declared: Rule, candidate: Any, outcome: Outcome) -> None:
    comparer = Comparer(Rules([declared]))
    found = verdict(answer(BODY), answer(candidate), comparer)
    assert found.outcome is outcome
    if outcome is Outcome.MATCH_AFTER_NORMALIZING:
        assert (found.findings, found.applied) == ((), ("r",))
    assert verdict(answer(BODY), answer(candidate), comparer, route="other#show").outcome is Outcome.MISMATCH


def test_side_loaded_lists_have_no_order_by_declaration() -> None:
    comparer = Comparer(Rules([rule(Treat.UNORDERED, "/body/*", side_loaded=True)]))
    body = {**BODY, "users": [{"id": 1}, {"id": 2}]}
    found = verdict(answer(body), answer({**BODY, "users": [{"id": 2}, {"id": 1}]}), comparer)
    assert found.outcome is Outcome.MATCH_AFTER_NORMALIZING


TIMES = [
    ("2025-01-31T01:02:03.456Z", "2025-01-31T01:02:04.456Z", True),
    ("2025-01-31T01:02:03.456Z", "2025-01-31T02:02:03.456+01:00", True),
    ("2025-01-31T01:02:03.456Z", "2025-01-31T01:02:05.457Z", False),
    ("2025-01-31T01:02:03.456Z", "soon", False),
    ("2025-01-31T01:02:03.456Z", None, False),
]


@pytest.mark.parametrize(("one", "other", "is_match"), TIMES)
def test_times_within(one: Any, other: Any, is_match: bool) -> None:
    comparer = Comparer(Rules([rule(Treat.TIME, "/body/at", within=2.0)]))
    assert (verdict(answer({"at": one}), answer({"at": other}), comparer).findings == ()) is is_match


def test_severity_by_rule() -> None:
    comparer = Comparer(Rules([rule(Treat.SEVERITY, "/body/polls/*/title", severity=Severity.INFO)]))
    found = verdict(answer(BODY), answer(changed(title="x")), comparer)
    assert (found.outcome, found.findings[0].severity) == (Outcome.MISMATCH, Severity.INFO)


def test_one_finding_for_all_places_of_a_field() -> None:
    one = {"polls": [{"id": number, "n": 1} for number in range(50)]}
    other = {"polls": [{"id": number, "n": 2} for number in range(50)]}
    (finding,) = verdict(answer(one), answer(other)).findings
    assert (finding.field, finding.places) == ("/body/polls/*/n", 50)
    assert finding.fingerprint == fingerprint("polls#show", "/body/polls/*/n", Kind.VALUE)
    (again,) = verdict(answer(one), answer({"polls": other["polls"][:1] + one["polls"][1:]})).findings
    assert again.fingerprint == finding.fingerprint


def test_depth_and_breadth_stay_bounded() -> None:
    deep = [b"[" * 10_000 + leaf + b"]" * 10_000 for leaf in (b"1", b"2")]
    assert verdict(answer(deep[0]), answer(b" " + deep[0])) == Comparison(Outcome.MATCH)
    (finding,) = verdict(answer(deep[0]), answer(deep[1])).findings
    assert len(finding.field) <= 500
    assert len(finding.difference.pointer) <= 500
    wide = [{f"k{number}": value for number in range(2_000)} for value in (1, 2)]
    assert len(verdict(answer(wide[0]), answer(wide[1])).findings) == 200


@given(
    st.binary(max_size=60),
    st.binary(max_size=60),
    st.sampled_from(["application/json", "text/csv", "text/html", "x/y", ""]),
)
def test_no_bytes_make_it_raise(one: bytes, other: bytes, media: str) -> None:
    headers: Headers = (("content-type", media),) if media else ()
    found = verdict(answer(one, headers=headers), answer(other, headers=headers))
    if found.outcome is Outcome.MATCH and media in ("x/y", ""):
        assert one == other
