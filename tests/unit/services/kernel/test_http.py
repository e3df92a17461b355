# SPDX-License-Identifier: AGPL-3.0-or-later
"""The spelling of answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.http import accepts_gzip, encode, request_id_of
from services.kernel.tokens import system_randomness


def test_json_is_fit_to_stand_in_a_page_and_in_a_script() -> None:
    assert encode({"a": "<b>&é\u2028\u2029😀"}) == '{"a":"\\u003cb\\u003e\\u0026é\\u2028\\u2029😀"}'.encode()


@pytest.mark.parametrize(
    ("header", "accepts"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("identity, gzip;q=0.5", False),
        ("br", False),
        ("gzip;q=x", False),
    ],
)
def test_compression_is_asked_for(header: str | None, accepts: bool) -> None:
    assert accepts_gzip(header) is accepts


@given(st.text(max_size=300))
def test_request_ids_are_plain_and_short(given_id: str) -> None:
    made = request_id_of(given_id, system_randomness)
    assert 0 < len(made) <= 255
    assert all(letter.isascii() and (letter.isalnum() or letter in "_-@") for letter in made)
