# SPDX-License-Identifier: AGPL-3.0-or-later
"""Query strings as Rails reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import BadRequestError
from services.kernel.params import LARGEST_ID, Params, known_ids, ruby_integer, ruby_to_i, split


def test_the_last_of_equal_names_wins_and_values_may_be_missing() -> None:
    params = Params("a=1&b&a=2&&c=&d=x%20y+z&e=%C3%A9")
    assert [params.text(name) for name in "abcdef"] == ["2", None, "", "x y z", "é", None]
    assert "b" in params
    assert "f" not in params


def test_the_path_goes_before_the_query() -> None:
    assert Params("id=1&x=2", {"id": "3"}).text("id") == "3"


@pytest.mark.parametrize("query", ["a[]=1", "a[b]=1", "a[b][c]=1", "a[=1"])
def test_nested_values_are_no_text(query: str) -> None:
    params = Params(query)
    assert "a" in params
    with pytest.raises(BadRequestError):
        params.text("a")


@pytest.mark.parametrize("query", ["a=%", "a=%z1", "%4=1", "a=%C3", "a=%00", "%00"])
def test_broken_queries_are_refused(query: str) -> None:
    with pytest.raises(BadRequestError):
        Params(query)


def test_words_and_ids() -> None:
    params = Params("exclude_types=+group++user&ids=3x1xx3x&none=")
    assert params.words("exclude_types") == {"group", "user"}
    assert params.words("nothing") == frozenset()
    assert params.ids("ids") == [3, 1, 0]
    assert params.ids("none") == []
    assert params.ids("nothing") is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        (" \t-3x", -3),
        ("1_000", 1000),
        ("_1", 0),
        ("1__0", 1),
        ("+7.9", 7),
        ("", 0),
        ("x1", 0),
        ("٣", 0),
    ],
)
def test_to_i(text: str, number: int) -> None:
    assert ruby_to_i(text) == number


@pytest.mark.parametrize(
    ("text", "number"), [(" 12 ", 12), ("012", 12), ("1_0", 10), ("12x", None), ("", None), ("-", None)]
)
def test_integer(text: str, number: int | None) -> None:
    assert ruby_integer(text) == number


def test_numbers_beyond_any_id_stay_beyond() -> None:
    assert abs(ruby_to_i("-" + "9" * 10_000)) > LARGEST_ID
    assert known_ids([1, LARGEST_ID, LARGEST_ID + 1, -LARGEST_ID - 2]) == [1, LARGEST_ID]


def test_split_drops_empty_pieces_at_the_end_only() -> None:
    assert split("x1xx2xx", "x") == ["", "1", "", "2"]
    assert split("", "x") == []


@given(st.text(alphabet=st.characters(max_codepoint=0x2FF), max_size=60))
def test_no_query_makes_it_fall_over(query: str) -> None:
    try:
        params = Params(query)
        for name in ("a", "", "b"):
            params.ids(name)
    except BadRequestError:
        pass
