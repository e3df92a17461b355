# SPDX-License-Identifier: AGPL-3.0-or-later
"""Handles for groups from names in any script, as Rails' `parameterize` makes them. Pure.

Letters become their nearest ones of the Latin alphabet, everything else becomes hyphens. Which letters have
a nearest one depends on the reader's language: German writes ä as ae, French ô as oe, Russian and Ukrainian
have their romanizations (the rules of the i18n and rails-i18n gems); in any other language Cyrillic letters
are just dropped.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Set

_LATIN = {
    "Æ": "AE", "Ð": "D", "×": "x", "Ø": "O", "Þ": "Th", "ß": "ss", "ẞ": "SS", "æ": "ae", "ð": "d", "ø": "o",
    "þ": "th", "Đ": "D", "đ": "d", "Ħ": "H", "ħ": "h", "ı": "i", "Ĳ": "IJ", "ĳ": "ij", "ĸ": "k", "Ŀ": "L", "ŀ": "l",
    "Ł": "L", "ł": "l", "ŉ": "'n", "Ŋ": "NG", "ŋ": "ng", "Œ": "OE", "œ": "oe", "Ŧ": "T", "ŧ": "t",
}  # fmt: skip
_GERMAN = {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
_FRENCH = {"ô": "oe"}

_RUSSIAN = {
    "а": "a", "б": "b", "в": "v", "г": "g", "ґ": "g", "д": "d", "е": "e", "ё": "yo", "є": "e", "ж": "zh", "з": "z",
    "и": "i", "і": "i", "ї": "yi", "й": "y", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r",
    "с": "s", "т": "t", "у": "u", "ф": "f", "х": "h", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sch", "ы": "y", "ь": "",
    "э": "e", "ю": "yu", "я": "ya",
}  # fmt: skip
_RUSSIAN_PAIRS = re.compile("ье|ьё|ЬЕ|ЬЁ")

_UKRAINIAN = {
    "а": "a", "б": "b", "в": "v", "ґ": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "y", "і": "i", "к": "k",
    "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "kh",
    "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ь": "", "’": "",
}  # fmt: skip
_UKRAINIAN_AT_START = {"є": "ye", "ї": "yi", "й": "y", "ю": "yu", "я": "ya"}
_UKRAINIAN_INSIDE = {"є": "ie", "ї": "i", "й": "i", "ю": "iu", "я": "ia"}
_UKRAINIAN_LETTERS = frozenset("абвгґдеєжзиіїйклмнопрстуфхцчшщьюяъыэ'’")


def base_of(parent_handle: str | None, name: str | None, locale: str) -> str:
    """The handle without a number."""
    return "-".join(parameterize(part, locale) for part in (parent_handle, name) if part is not None)


def first_free(base: str, taken: Set[str]) -> str:
    """`base`, or `base` with the first number that makes it free."""
    candidate, number = base, 0
    while candidate in taken:
        number += 1
        candidate = f"{base}-{number}"
    return candidate


def parameterize(text: str, locale: str) -> str:
    """Small Latin letters, digits, underscores, and single hyphens between them."""
    text = transliterate(unicodedata.normalize("NFC", text), locale)
    text = re.sub(r"[^a-zA-Z0-9_-]+", "-", text)
    return re.sub(r"-{2,}", "-", text).strip("-").lower()


def transliterate(text: str, locale: str) -> str:
    """The text in Latin letters, as far as the language knows how."""
    if locale == "ru":
        return _russian(text)
    if locale == "uk":
        return _ukrainian(text)
    special = {"de": _GERMAN, "fr": _FRENCH}.get(locale, {})
    return "".join(letter if letter.isascii() else special.get(letter) or _latin(letter) for letter in text)


def _latin(letter: str) -> str:
    """The letter without its marks, for the letters of European alphabets; `?` for all others."""
    if letter in _LATIN:
        return _LATIN[letter]
    bare = unicodedata.normalize("NFD", letter)[0]
    is_european = "À" <= letter <= "ž" or letter in "ǪǫǬǭ"
    return bare if is_european and bare.isascii() and bare.isalpha() else "?"


def _russian(text: str) -> str:
    text = _RUSSIAN_PAIRS.sub("ie", text)
    return "".join(_RUSSIAN.get(letter, letter) for letter in text.lower())


def _ukrainian(text: str) -> str:
    latin: list[str] = []
    lower = text.lower()
    for index, letter in enumerate(lower):
        behind = lower[index - 1] if index else ""
        ahead = lower[index + 1 : index + 2]
        inside = behind in _UKRAINIAN_LETTERS and behind != ""
        if letter == "г":
            latin.append("gh" if behind == "з" else "h")
        elif letter in _UKRAINIAN_AT_START:
            latin.append((_UKRAINIAN_INSIDE if inside else _UKRAINIAN_AT_START)[letter])
        elif letter == "'":
            latin.append("" if inside and ahead in _UKRAINIAN_LETTERS and ahead else "'")
        else:
            latin.append(_UKRAINIAN.get(letter, letter))
    return "".join(latin)
