# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which language an answer is in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel import locales


@pytest.mark.parametrize(
    ("text", "normal"),
    [("en", "en"), ("PT-br", "pt_BR"), ("pt_BR", "pt_BR"), ("zh-Hant-TW", "zh_HANT-TW"), ("", "")],
)
def test_normalize(text: str, normal: str) -> None:
    assert locales.normalize(text) == normal


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["pt-BR"], "pt_BR"),
        (["pt"], "pt_BR"),
        (["nl_BE"], "nl_NL"),
        (["de_AT"], "de"),
        (["xx", None, "", "fr"], "fr"),
        (["xx"], "en"),
        ([], "en"),
    ],
)
def test_first_supported(wanted: list[str | None], found: str) -> None:
    assert locales.first_supported(wanted) == found


def test_accepted_languages_go_by_their_weight_then_place() -> None:
    assert locales.accepted("fr;q=0.5, de, en-GB;q=0.9,*;q=0.1, x;q=bad") == ["de", "en_GB", "fr", "x"]
    assert locales.accepted(None) == []


def test_what_is_asked_for_goes_before_what_was_chosen_before_the_browser() -> None:
    assert locales.preferred("xx", "fr", "de", "it") == "xx"
    assert locales.preferred(None, "fr", "de", "it") == "fr"
    assert locales.preferred(None, None, "yy, de", "it") == "de"
    assert locales.preferred("", "fr", "de", "it") == ""
    assert locales.preferred(None, None, None, None) == "en"


@given(st.text(max_size=40))
def test_no_header_makes_it_fall_over(header: str) -> None:
    assert locales.preferred(None, None, header, None)
