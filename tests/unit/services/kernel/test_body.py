# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bodies as Rails reads them, and whatever else may be sent."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.body import parse_form, parse_json, plain_texts
from services.kernel.errors import BadRequestError


def test_names_of_forms_nest() -> None:
    raw = b"user[email]=a%40b&user[tags][]=x&user[tags][]=y&plain=1+2&user[deep][er]=z&empty="
    assert parse_form(raw) == {
        "user": {"email": "a@b", "tags": ["x", "y"], "deep": {"er": "z"}},
        "plain": "1 2",
        "empty": "",
    }


@pytest.mark.parametrize(
    "raw", [b"a=1&a[b]=2", b"a[]=1&a[b]=2", b"a[b]=1&a[]=2", b"a=%ff", b"\xff=1", b"x" + b"[y]" * 40 + b"=1"]
)
def test_forms_that_contradict_themselves_are_refused(raw: bytes) -> None:
    with pytest.raises(BadRequestError):
        parse_form(raw)


def test_json_that_is_no_object_stands_apart() -> None:
    assert parse_json(b"[1]") == {"_json": [1]}
    assert plain_texts({"a": "x", "b": 1, "c": {}}) == {"a": "x"}


@given(st.binary(max_size=200))
def test_anything_is_read_or_refused(raw: bytes) -> None:
    for parse in (parse_form, parse_json):
        with contextlib.suppress(BadRequestError):
            assert isinstance(parse(raw), dict)


def test_deep_json_is_refused_not_fatal() -> None:
    with pytest.raises(BadRequestError):
        parse_json(b"[" * 100_000)
