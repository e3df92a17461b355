# SPDX-License-Identifier: AGPL-3.0-or-later
"""Nested parameters are as strict as Rails'."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import ParameterMissingError, UnpermittedParametersError
from services.kernel.permitted import permitted

POLL = permitted(
    "title", "tags", {"tags": []}, {"options": ["id", "name", {"icons": []}]}, {"custom": {}}, {"ids": []}
)

GOOD: list[dict[str, Any]] = [
    {"title": "x"},
    {"title": None, "tags": "a"},
    {"tags": ["a", 1, None]},
    {"tags": []},
    {"options": {"id": 1}},
    {"options": [{"id": 1, "icons": ["a"]}, {"name": "b"}]},
    {"custom": {"deep": [{"x": 1}]}},
]


@pytest.mark.parametrize("values", GOOD)
def test_what_is_permitted_stays_as_it_is(values: dict[str, Any]) -> None:
    assert POLL.require({"poll": values, "other": 1}, "poll") == values


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"titel": "x"}, "titel"),
        ({"title": ["x"]}, "title"),
        ({"title": {"a": 1}}, "title"),
        ({"ids": 1}, "ids"),
        ({"ids": [[1]]}, "ids"),
        ({"ids": [{"a": 1}]}, "ids"),
        ({"options": "x"}, "options"),
        ({"options": [{"id": 1, "colour": "red"}]}, "colour"),
        ({"options": {"icons": "a"}}, "icons"),
        ({"a": 1, "title": "x", "b": 2}, "a, b"),
    ],
)
def test_anything_else_is_refused_by_name(values: dict[str, Any], names: str) -> None:
    with pytest.raises(UnpermittedParametersError, match=names) as caught:
        POLL.require({"poll": values}, "poll")
    assert caught.value.body()["exception"] == "ActionController::UnpermittedParameters"
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [{}, {"poll": {}}, {"poll": None}, {"poll": "x"}, {"poll": []}])
def test_what_must_be_there_is_missed(body: dict[str, Any]) -> None:
    with pytest.raises(ParameterMissingError) as caught:
        POLL.require(body, "poll")
    assert caught.value.body()["exception"] == "ActionController::ParameterMissing"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["title", "tags", "options", "custom", "ids", "x"]), inner)
    ),
)


@given(JSON)
def test_any_document_is_taken_whole_or_refused(value: Any) -> None:
    with contextlib.suppress(ParameterMissingError, UnpermittedParametersError):
        assert POLL.require({"poll": value}, "poll") == value
