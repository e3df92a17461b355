# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bodies in the corpus' notation: what is rendered reads back as what was recorded."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import notation
from contracts.notation import NotReadableError, fill, holds, read, render, stand_in

WORDS = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp"), exclude_characters="\ufffe\uffff"
    ),
    min_size=1,
)
# HTML reads CR as LF and knows no NUL; recorded texts are stripped.
PAGE_TEXT = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
).filter(lambda value: notation.marker_of(value) == notation.JSON_MARKER)


def text(length: int, *contains: str) -> dict[str, Any]:
    return {"$text": {"length": length, "sha256": "0" * 64, "contains": list(contains)}}


@given(st.integers(1, 300), st.lists(PAGE_TEXT, max_size=3))
def test_a_stand_in_holds_what_it_must_and_has_the_length_where_it_fits(
    length: int, contained: list[str]
) -> None:
    recorded = text(length, *contained)
    made = stand_in(recorded)
    assert holds(recorded, made)
    assert made == made.strip()
    assert len(made) == length or length < len(made) <= len(" ".join(contained))
    assert made == stand_in(recorded)


def test_contained_texts_that_overlapped_are_woven_into_the_length() -> None:
    made = stand_in(text(9, "row of", "of pips", "row"))
    assert made == "row of pips"
    assert stand_in(text(11, "row of", "of pips")) == "row of pips"


@pytest.mark.parametrize("given_text", [None, "", 5, ["a b"], "a"])
def test_what_does_not_hold(given_text: Any) -> None:
    assert not holds(text(3, "a b"), given_text)


def test_a_contained_text_may_be_broken_over_lines() -> None:
    assert holds(text(3, "a b"), "so: a\n   b!")
    assert holds(text(3), "anything")


def test_stand_ins_are_filled_in_at_any_depth_and_nothing_is_changed() -> None:
    deep: Any = text(7)
    for _ in range(5_000):
        deep = {"in": [deep]}
    filled = fill(deep)
    for _ in range(5_000):
        filled, deep = filled["in"][0], deep["in"][0]
    assert (len(filled), deep) == (7, text(7))


@given(JSON)
def test_json_comes_back(value: Any) -> None:
    # Read, numbers with a fraction are decimals: to the digit.
    assert read(notation.JSON_MARKER, render(value, {})) == json.loads(json.dumps(value), parse_float=Decimal)


def test_json_is_written_as_rails_does() -> None:
    assert render({"a": "<b> & \u2028 é"}, {}) == '{"a":"\\u003cb\\u003e \\u0026 \\u2028 é"}'.encode()


@given(st.lists(st.lists(CELL, max_size=3), max_size=4))
def test_csv_comes_back(rows: list[list[str]]) -> None:
    assert read("$csv", render({"$csv": rows, "length": 9_999, "sha256": ""}, {})) == {"$csv": rows}


def test_a_refusal_in_the_place_of_csv_has_no_newline() -> None:
    assert render({"$csv": [["No."]], "length": 3, "sha256": ""}, {}) == b"No."
    assert render({"$csv": [["No."]], "length": 4, "sha256": ""}, {}) == b"No.\n"


@given(st.lists(CELL.map(lambda cell: cell.replace("\n", " ")), min_size=1))
def test_lines_come_back(lines: list[str]) -> None:
    assert read("$lines", render({"$lines": lines, "length": 0, "sha256": ""}, {})) == {"$lines": lines}


NAME = st.sampled_from(["a", "b", "{http://www.w3.org/2005/Atom}entry", "{urn:x}y"])


def trees(children: st.SearchStrategy[list[Any]]) -> st.SearchStrategy[list[Any]]:
    attributes = st.dictionaries(NAME, PAGE_TEXT, max_size=2)
    return st.tuples(NAME, attributes, PAGE_TEXT | st.just(""), children).map(list)


TREE = st.recursive(trees(st.just([])), lambda inner: trees(st.lists(inner, max_size=2)), max_leaves=8)


@given(TREE)
def test_xml_comes_back(tree: list[Any]) -> None:
    assert read("$xml", render({"$xml": tree, "length": 0, "sha256": ""}, {})) == {"$xml": tree}


FIELD = (
    st.tuples(st.just("input"), st.none() | PAGE_TEXT, st.none() | PAGE_TEXT, st.none() | PAGE_TEXT)
    | st.tuples(st.just("select"), st.none(), st.none() | PAGE_TEXT, st.none())
    | st.tuples(st.just("option"), st.none() | st.just("selected"), st.none(), st.none() | PAGE_TEXT)
    | st.tuples(st.just("textarea"), st.none(), st.none() | PAGE_TEXT, st.none())
).map(list)
FORM = st.fixed_dictionaries(
    {
        "action": st.none() | PAGE_TEXT,
        "method": st.none() | st.just("post"),
        "fields": st.lists(FIELD, max_size=4),
    }
)
PAGE = st.fixed_dictionaries(
    {},
    optional={
        "title": PAGE_TEXT,
        "lang": st.just("fr"),
        "canonical": PAGE_TEXT,
        "meta": st.lists(st.tuples(PAGE_TEXT, PAGE_TEXT).map(list), min_size=1, max_size=2),
        "headings": st.lists(PAGE_TEXT, min_size=1, max_size=3),
        "links": st.lists(PAGE_TEXT, min_size=1, max_size=3, unique=True),
        "forms": st.lists(FORM, min_size=1, max_size=2),
        "cells": st.lists(CELL.map(str.strip), min_size=1, max_size=4),
    },
)


@given(PAGE)
def test_the_facts_of_a_page_come_back(facts: dict[str, Any]) -> None:
    page = render({"$html": {**facts, "length": 1, "sha256": ""}}, {})
    assert read("$html", page) == {"$html": facts}


def test_the_facts_of_a_page_as_a_browser_sees_them() -> None:
    page = b"""<!doctype html><html lang=en><head><meta charset=utf-8>
      <meta name="csrf-token" content="changes"><meta name=description property="og:description" content="x &amp; y">
      <link rel=canonical href=/here><title>
        A page </title><style>td{}</style></head>
      <body><svg><title>not this</title></svg><h1>One <b>big</b>
      heading</h1><a href=/a>a</a><a href="/b">b</a><a href=/a>again</a><a>nowhere</a>
      <input name=outside><form action=/go method=post><input type=hidden name=authenticity_token value=changes>
      <select name=s><option value=1 selected>one<option value=2>two</select><input type=submit></form>
      <table><tr><th>A<td>1<tr><td>B</td><td></td></table><script>var x = "<h1>no</h1>"</script></body></html>"""
    assert read("$html", page) == {
        "$html": {
            "title": "A page",
            "lang": "en",
            "meta": [["og:description", "x & y"]],
            "canonical": "/here",
            "headings": ["One big\n      heading"],
            "links": ["/a", "/b"],
            "forms": [
                {
                    "action": "/go",
                    "method": "post",
                    "fields": [
                        ["select", None, "s", None],
                        ["option", "selected", None, "1"],
                        ["option", None, None, "2"],
                        ["input", "submit", None, None],
                    ],
                }
            ],
            "cells": ["A", "1", "B", ""],
        }
    }


def test_binaries_are_the_stored_files_or_nothing() -> None:
    content = b"\x00\x01\xff"
    digest = hashlib.sha256(content).hexdigest()
    recorded = {"$binary": {"sha256": digest, "length": 3}}
    assert render(recorded, {digest: content}) == content
    assert read("$binary", content) == recorded
    with pytest.raises(KeyError, match=digest):
        render(recorded, {})


def test_a_stored_file_of_any_kind_is_played_to_the_byte() -> None:
    content = b"a,b\r\n"
    digest = hashlib.sha256(content).hexdigest()
    assert render({"$csv": [["a", "b"]], "sha256": digest, "length": 5}, {digest: content}) == content


def test_nothing_is_empty() -> None:
    assert render(None, {}) == b""
    assert read(notation.NULL_MARKER, b"") is None
    assert read(notation.NULL_MARKER, b"x") == "x"


@pytest.mark.parametrize(
    ("marker", "content"),
    [
        ("", b"<html>"),
        ("", b"\xff"),
        ("", b"[" * 100_000),
        ("$xml", b"<a>"),
        ("$csv", b'"a'),
        ("$html", b"\xff"),
    ],
)
def test_what_is_of_another_kind_is_refused(marker: str, content: bytes) -> None:
    with pytest.raises(NotReadableError):
        read(marker, content)
