# SPDX-License-Identifier: AGPL-3.0-or-later
"""Handles from names in any script."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.groups.handles import base_of, first_free, parameterize


@pytest.mark.parametrize(
    ("name", "handle"),
    [
        ("Walking Club", "walking-club"),
        (" Été & Co. ", "ete-co"),
        ("E\u0301te\u0301", "ete"),
        ("Straße Œuvre Ærø", "strasse-oeuvre-aero"),
        ("Łódź ŉ Ĳssel ×÷", "lodz-n-ijssel-x"),
        ("snake_case--and---more", "snake_case-and-more"),
        ("日本語 x", "x"),
        ("Привет", ""),
        ("--", ""),
        ("½ Ǫ Ş ẞ", "o-s-ss"),
    ],
)
def test_in_english(name: str, handle: str) -> None:
    assert parameterize(name, "en") == handle


@pytest.mark.parametrize(
    ("locale", "name", "handle"),
    [
        ("de", "Äpfel für Öl", "aepfel-fuer-oel"),
        ("fr", "Hôtel Côté", "hoetel-coete"),
        ("ru", "Съёмка Щука ПЬЕСА объезд", "s-yomka-schuka-piesa-ob-ezd"),
        ("ru", "Été", "t"),
        ("uk", "Згурський Єнакієве Їжак Йосипівка", "zghurskyi-yenakiieve-yizhak-yosypivka"),
        ("uk", "Знам'янка Юрій Ґорґани", "znamianka-yurii-gorgany"),
    ],
)
def test_in_other_languages(locale: str, name: str, handle: str) -> None:
    assert parameterize(name, locale) == handle


@given(st.text(max_size=60), st.sampled_from(["en", "de", "fr", "ru", "uk", "ja"]))
def test_nothing_but_small_latin_letters_digits_and_single_hyphens(name: str, locale: str) -> None:
    assert re.fullmatch(r"(?:[a-z0-9_]+(?:-[a-z0-9_]+)*)?", parameterize(name, locale))


def test_the_parent_comes_first_and_what_is_missing_is_left_out() -> None:
    assert base_of("Some Parent", "My Name", "en") == "some-parent-my-name"
    assert base_of(None, "x", "en") == "x"
    assert base_of("", "x", "en") == "-x"
    assert base_of(None, None, "en") == ""


def test_the_first_number_that_is_free() -> None:
    assert first_free("a", set()) == "a"
    assert first_free("a", {"a", "a-1", "a-3"}) == "a-2"
    assert first_free("a", {"a-1"}) == "a"
