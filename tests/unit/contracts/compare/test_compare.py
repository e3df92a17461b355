# SPDX-License-Identifier: AGPL-3.0-or-later
"""Judging an answer by its recording."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.compare import Answer, Difference, Expectation, Kind, differences
from contracts.corpus import Read
from proxy.experiment.diff import escaped, tokens
from tests.unit.contracts.corpora import read_case

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
).filter(lambda value: value is not None)


def recorded(body: Any, **more: Any) -> Read:
    return msgspec.json.decode(json.dumps(read_case("/x", body, **more)), type=Read)


def answer(body: Any, status: int = 200, headers: list[tuple[str, str]] | None = None) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, headers or [("Content-Type", "application/json; charset=UTF-8")], content)


def found(body: Any, actual: Any, **more: Any) -> list[tuple[str, Kind]]:
    return [(one.pointer, one.kind) for one in differences(recorded(body, **more), answer(actual))]


@given(JSON)
def test_an_equal_answer_is_equal(body: Any) -> None:
    assert found({"wrapped": body}, {"wrapped": body}) == []


@given(JSON, JSON)
def test_unlike_answers_differ(body: Any, other: Any) -> None:
    same = json.dumps(body, sort_keys=True) == json.dumps(other, sort_keys=True) or body == other
    if not same:
        assert found({"wrapped": body}, {"wrapped": other}) != []


@pytest.mark.parametrize(
    ("body", "actual", "expected"),
    [
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, [("/a", Kind.TYPE)]),
        ({"a": 0}, {"a": None}, [("/a", Kind.TYPE)]),
        ({"a": "1"}, {"a": 1}, [("/a", Kind.TYPE)]),
        ({"a": "x"}, {"a": "y"}, [("/a", Kind.VALUE)]),
        ({"a": 1}, {}, [("/a", Kind.MISSING)]),
        ({}, {"a": None}, [("/a", Kind.EXTRA)]),
        ({"a": None}, {}, [("/a", Kind.MISSING)]),
        ({"a": 1, "b": 2}, {"a": 1, "c": 2}, [("/b", Kind.MISSING), ("/c", Kind.EXTRA)]),
        ([1, 2], [2, 1], [("", Kind.ORDER)]),
        ([1, 2], [2, 3], [("/0", Kind.VALUE), ("/1", Kind.VALUE)]),
        ([1], [1, 2], [("/-", Kind.EXTRA)]),
        ([1, 2], [1], [("/1", Kind.MISSING)]),
        ({"a": {"b": []}}, {"a": {"b": {}}}, [("/a/b", Kind.TYPE)]),
        ({"a/b~c": 1}, {"a/b~c": 2}, [("/a~1b~0c", Kind.VALUE)]),
        (3, 4, [("", Kind.VALUE)]),
    ],
)
def test_json_is_compared_by_meaning(body: Any, actual: Any, expected: list[tuple[str, Kind]]) -> None:
    assert found(body, actual) == [(f"/response/body{pointer}", kind) for pointer, kind in expected]


def test_records_with_ids_are_matched_by_id_and_their_order_counts() -> None:
    body = [{"id": 1, "a": 1}, {"id": 2, "a": 2}, {"id": 3, "a": 3}]
    actual = [{"id": 3, "a": 3}, {"id": 1, "a": 9}, {"id": 4, "a": 4}]
    assert found(body, actual) == [
        ("/response/body", Kind.ORDER),
        ("/response/body/-", Kind.EXTRA),
        ("/response/body/0/a", Kind.VALUE),
        ("/response/body/1", Kind.MISSING),
    ]
    assert found(body, body[::-1], unordered=["/response/body"]) == []


def test_side_loaded_records_come_in_any_order_but_the_root_does_not() -> None:
    body = {"users": [{"id": 1}, {"id": 2}], "polls": [{"id": 5}, {"id": 6}], "meta": {"root": "polls"}}
    assert found(body, {**body, "users": [{"id": 2}, {"id": 1}]}) == []
    assert found(body, {**body, "polls": [{"id": 6}, {"id": 5}]}) == [("/response/body/polls", Kind.ORDER)]
    assert found(body, {**body, "users": [{"id": 1}]}) == [("/response/body/users/1", Kind.MISSING)]


def test_unordered_arrays_are_multisets() -> None:
    rule = {"unordered": ["/response/body/a"]}
    assert found({"a": [1, 2, 2, "x"]}, {"a": ["x", 2, 1, 2]}, **rule) == []
    assert found({"a": [1, 2, 2]}, {"a": [1, 1, 2]}, **rule) == [("/response/body/a/2", Kind.VALUE)]
    assert found({"a": [1]}, {"a": [True]}, **rule) == [("/response/body/a/0", Kind.TYPE)]
    assert found({"a": [{"k": 1}, {"k": 2}]}, {"a": [{"k": 2}, {"k": 1}, {"k": 3}]}, **rule) == [
        ("/response/body/a/-", Kind.EXTRA)
    ]


@given(st.lists(JSON, max_size=6), st.randoms())
def test_any_shuffle_of_an_unordered_array_is_equal(elements: list[Any], random: Any) -> None:
    shuffled = elements[:]
    random.shuffle(shuffled)
    assert found({"a": elements}, {"a": shuffled}, unordered=["/response/body/a"]) == []


def test_rules_inside_unordered_elements_follow_the_recorded_place() -> None:
    body = {"a": [{"k": 1, "at": "monday"}, {"k": 2, "at": "friday"}, {"k": 3, "t": text("needed")}]}
    actual = {"a": [{"k": 3, "t": "it is needed"}, {"k": 2, "at": "friday"}, {"k": 1, "at": "sunday"}]}
    rule = {"unordered": ["/response/body/a"]}
    assert found(body, actual, noise=["/response/body/a/0/at"], **rule) == []
    assert found(body, actual, noise=["/response/body/a/1/at"], **rule) == [
        ("/response/body/a/0/at", Kind.VALUE)
    ]


def text(*contains: str) -> dict[str, Any]:
    return {"$text": {"length": 20, "sha256": "0" * 64, "contains": list(contains)}}


def test_wording_is_free_but_for_what_it_contains() -> None:
    assert found({"a": text("Zoë")}, {"a": "Bonjour, Zoë!"}) == []
    for wrong in ("Bonjour!", "", None, 5, ["Zoë"]):
        assert found({"a": text("Zoë")}, {"a": wrong}) == [("/response/body/a", Kind.TEXT)]


def test_noise_must_be_there_and_of_its_type() -> None:
    rule = {"noise": ["/response/body/token", "/response/body/rank", "/response/body/any"]}
    body = {"token": "x", "rank": 1, "any": None}
    assert found(body, {"token": "y", "rank": 2.5, "any": {}}, **rule) == []
    assert found(body, {"token": 5, "rank": "1", "any": 1}, **rule) == [
        ("/response/body/rank", Kind.TYPE),
        ("/response/body/token", Kind.TYPE),
    ]
    assert found(body, {"rank": 2, "any": None}, **rule) == [("/response/body/token", Kind.MISSING)]


def test_noise_that_only_some_runs_had() -> None:
    noise = [f"/response/body/{name}" for name in "abc"]
    assert found({"id": 1}, {"id": 1, "a": 5}, noise=noise) == []
    assert found({"id": 1, "a": 1, "b": 2, "c": 3}, {"id": 1}, noise=noise) == []
    assert found({"id": 1, "a": 1, "b": 2, "c": 3}, {"id": 1, "a": 1}, noise=noise) == [
        ("/response/body/b", Kind.MISSING),
        ("/response/body/c", Kind.MISSING),
    ]


def test_status_and_kind_of_body() -> None:
    case = recorded({"a": 1})
    assert differences(case, answer({"a": 1}, 404)) == [Difference("/response/status", Kind.STATUS, 200, 404)]
    assert [one.kind for one in differences(case, answer(b"<html>"))] == [Kind.BODY]
    assert [one.kind for one in differences(case, answer(b"[" * 100_000))] == [Kind.BODY]
    assert differences(recorded(None), answer(b"")) == []
    assert [one.kind for one in differences(recorded(None), answer(b"x"))] == [Kind.TYPE]


@pytest.mark.parametrize(
    ("status", "body", "good"),
    [
        (500, {"status": 500, "error": "x"}, True),
        (422, {"errors": {"a": ["b"]}}, True),
        (404, {"exception": "E", "error": "m"}, True),
        (200, {"error": "x"}, False),
        (400, {"message": "x"}, False),
        (400, ["error"], False),
        (502, b"<html>Bad Gateway", False),
    ],
)
def test_a_recorded_bug_need_not_be_copied(status: int, body: Any, good: bool) -> None:
    case = recorded({"status": 500, "error": "Internal Server Error"}, status=500)
    assert (differences(case, answer(body, status)) == []) is good


def test_pages_tables_trees_and_lines_are_compared_by_their_facts() -> None:
    page = {"$html": {"title": "T", "cells": ["b", "a"], "length": 9, "sha256": "0"}}
    html = b"<title>T</title><table><td>a<td>b</table><script>own()</script>"
    assert found(page, html, unordered=["/response/body/$html/cells"]) == []
    assert found(page, html) == [("/response/body/$html/cells", Kind.ORDER)]
    assert found(page, html.replace(b"<td>b", b"<td>c")) == [
        ("/response/body/$html/cells/0", Kind.VALUE),
        ("/response/body/$html/cells/1", Kind.VALUE),
    ]
    assert found({"$csv": [["a", text("x")]], "length": 1, "sha256": "0"}, b"a,about x\r\n") == []
    assert found({"$csv": [["a"]], "length": 1, "sha256": "0"}, b"b\n") == [
        ("/response/body/$csv/0/0", Kind.VALUE)
    ]
    assert found({"$xml": ["a", {}, "", []], "length": 1, "sha256": "0"}, b"<a>\n</a>") == []
    assert found({"$lines": ["a", "b"], "length": 3, "sha256": "0"}, b"a\nc") == [
        ("/response/body/$lines/1", Kind.VALUE)
    ]


def test_lines_that_the_recorder_cut_are_compared_as_far_as_they_go() -> None:
    cut = {"$lines": ["a", "b", "pie"], "length": 5000, "sha256": "0"}
    assert found(cut, b"a\nb\npiece\nmore") == []
    assert found(cut, b"a\nx\npiece") == [("/response/body/$lines/1", Kind.VALUE)]
    assert found(cut, b"a") == [("/response/body/$lines/1", Kind.MISSING)]


def test_binaries_are_compared_to_the_byte() -> None:
    digest = "4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865"
    assert found({"$binary": {"sha256": digest, "length": 2}}, b"1\n") == []
    assert found({"$binary": {"sha256": digest, "length": 2}}, b"2\n") == [
        ("/response/body/$binary/sha256", Kind.VALUE)
    ]


COOKIE = {"path": "/", "httponly": True, "secure": False, "samesite": "", "expires": False}
HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "location": "http://a.test/x",
    "set-cookie": [
        {"name": "_loomio", **COOKIE},
        {"name": "kept", **COOKIE},
        {"name": "gone", **COOKIE, "expires": True, "deleted": True},
    ],
}
LINES = [
    ("Content-Type", "text/html;charset=UTF-8"),
    ("Location", "http://a.test/x"),
    ("X-Runtime", "0.1"),
    ("Set-Cookie", "kept=v%20w; path=/; HttpOnly"),
    ("Set-Cookie", "gone=; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT; httponly"),
]


def in_headers(lines: list[tuple[str, str]], **more: Any) -> list[tuple[str, Kind]]:
    case = recorded(None, answer_headers=HEADERS, **more)
    return [(one.pointer, one.kind) for one in differences(case, Answer(200, lines))]


def test_selected_headers_and_cookies() -> None:
    content_type, _, *rest = LINES
    assert in_headers(LINES) == []
    assert in_headers([content_type, ("location", "/x"), *rest]) == [
        ("/response/headers/location", Kind.VALUE)
    ]
    assert in_headers([content_type, *rest]) == [("/response/headers/location", Kind.MISSING)]
    more = [*LINES, ("cache-control", "no-store")]
    assert in_headers(more) == [("/response/headers/cache-control", Kind.EXTRA)]
    assert in_headers(LINES[:3]) == [("/response/headers/set-cookie", Kind.MISSING)]
    own = [*LINES, ("set-cookie", "own=1; secure")]
    assert in_headers(own) == [("/response/headers/set-cookie/own", Kind.EXTRA)]
    kept = [*LINES[:3], ("set-cookie", "kept=v; path=/"), LINES[4]]
    assert in_headers(kept) == [("/response/headers/set-cookie/kept/httponly", Kind.VALUE)]
    noise = ["/response/headers/location"]
    assert in_headers([content_type, ("location", "other"), *rest], noise=noise) == []
    assert in_headers([content_type, *rest], noise=noise) == [("/response/headers/location", Kind.MISSING)]


def test_cookies_that_come_with_every_answer_are_apart_and_others_may_be() -> None:
    case = recorded(
        {}, answer_headers={"set-cookie": [{"name": "_loomio", **COOKIE}, {"name": "x", **COOKIE}]}
    )
    expectation = Expectation.of(case)
    assert expectation.differences(Answer(200, [("set-cookie", "x=1; path=/; httponly")], b"{}")) == []
    own = Answer(200, [("set-cookie", "banyan=1")], b"{}")
    assert expectation.differences(own, apart=frozenset(("_loomio", "x", "banyan"))) == []


@pytest.mark.parametrize("depth", [100, 950, 980, 990, 995, 1_000, 10_000])
def test_no_depth_of_an_answer_is_too_much(depth: int) -> None:
    case = recorded({"a": [[1]]}, unordered=["/response/body/a"])
    deep = b'{"a":[[1],' + b"[" * depth + b"]" * depth + b"]}"
    (one,) = differences(case, answer(deep))
    assert one.kind in (Kind.EXTRA, Kind.BODY)
    assert len(str(one)) < 500


@given(st.text())
def test_reference_tokens_come_back(token: str) -> None:
    assert tokens(f"/a/{escaped(token)}") == ["a", token]


def test_a_difference_is_legible() -> None:
    assert str(Difference("/a", Kind.VALUE, "x" * 200, {"b": 1})).startswith('/a value: expected "xxx')
    assert str(Difference("/a", Kind.VALUE, 1, {"b": "é"})) == '/a value: expected 1, got {"b": "é"}'
