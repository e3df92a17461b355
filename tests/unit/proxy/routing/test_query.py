# SPDX-License-Identifier: AGPL-3.0-or-later
"""Parameters are found wherever Rack would find them."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing.query import carries, pairs_in, value_of

NAMES = ("token", "other_token")


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("api_key=1", "1"),
        ("a=2&api_key=1", "1"),
        ("api_key=1&api_key=2", "2"),
        ("api%5Fkey=a%20b+c", "a b c"),
        ("api_key=", None),
        ("api_key", None),
        ("xapi_key=1", None),
        ("a=api_key", None),
        ("", None),
    ],
)
def test_values_of_parameters(query: str, value: str | None) -> None:
    assert value_of(query, ("api_key", "b3_api_key")) == value


def _hidden(name: str, mask: int) -> str:
    """`name` with some of its letters percent-encoded."""
    return "".join(
        f"%{ord(letter):02x}" if mask >> place & 1 else letter for place, letter in enumerate(name)
    )


@given(
    st.sampled_from(NAMES),
    st.integers(0, 2**11),
    st.sampled_from(["", "a=1&", "%20=x;", "=&"]),
    st.booleans(),
)
def test_a_name_cannot_be_hidden(name: str, mask: int, before: str, nested: bool) -> None:
    hidden = _hidden(name, mask)
    query = before + (f"a%5B{hidden}%5D=1" if nested else f"{hidden}=1") + "&b=%25"
    assert carries(query, NAMES)


_OTHER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF)).filter(
    lambda text: "token" not in text
)


@given(st.dictionaries(_OTHER, st.text(), max_size=4))
def test_other_names_are_not_taken_for_it(parameters: dict[str, str]) -> None:
    query = "&".join(
        f"{quote(name, encoding='latin-1')}={quote(value)}" for name, value in parameters.items()
    )
    assert not carries(query, NAMES)
    assert value_of(query, NAMES) is None


@given(st.text(st.characters(max_codepoint=0xFF)))
def test_any_query_is_read(query: str) -> None:
    list(pairs_in(query))
    carries(query, NAMES)
    value_of(query, NAMES)
