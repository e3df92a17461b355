# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a value looks like: the classes by which noise is recognised, rules compare and redaction decides. Pure."""

from __future__ import annotations

import math
import re
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any


class ValueClass(StrEnum):
    """What kind of thing a value is, whatever it says."""

    NULL = "null"
    BOOLEAN = "boolean"
    NUMBER = "number"
    TIMESTAMP = "timestamp"
    DATE = "date"
    UUID = "uuid"
    SIGNED_URL = "signed_url"
    """An address that carries a signature or a token."""
    URL = "url"
    EMAIL = "email"
    DIGEST = "digest"
    """A hexadecimal digest."""
    TOKEN = "token"  # noqa: S105 - the name of a class
    """Opaque text: a token, a nonce, something sealed or signed."""
    LABEL = "label"
    """A short word that a program chose: `time_poll`, `open`."""
    EMPTY = "empty"
    """A text of no character."""
    TEXT = "text"
    OBJECT = "object"
    ARRAY = "array"


_TIMESTAMP = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?(?:Z|UTC|[-+]\d\d:?\d\d))?", re.ASCII
)
_HTTP_DATE = re.compile(r"[A-Z][a-z]{2}, \d\d[ -][A-Z][a-z]{2}[ -]\d{4} \d\d:\d\d:\d\d (?:GMT|[-+]\d{4})")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_URL = re.compile(r"(?:https?:)?//[^\s]+|/[^\s]*", re.IGNORECASE)
_SIGNED = re.compile(
    r"[?&](?:x-amz-signature|x-goog-signature|signature|sig|token|[a-z_]*_token|expires|hmac)=|--[0-9a-f]{40}|"
    r"/rails/active_storage/|[A-Za-z0-9_-]{60,}",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[^\s@<>\"',;:/]+@[^\s@<>\"',;:/]+\.[^\s@<>\"',;:/]+")
_HEX = re.compile(
    r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})", re.IGNORECASE
)
_LABEL = re.compile(r"[a-z]{1,24}(?:[_-][a-z0-9]{1,24}){0,4}|[a-z]{2}[-_][A-Z]{2}")
_OPAQUE = re.compile(r"[A-Za-z0-9+/=_.%~-]{6,}", re.ASCII)
_VOWELS = re.compile(r"[aeiouy]", re.IGNORECASE)
_RANDOM_BITS = 2.9
"""Bits of entropy in a character, from which on text of one piece with digits or both cases looks random."""


def classify(value: Any) -> ValueClass:
    """The class of a JSON value."""
    if value is None:
        return ValueClass.NULL
    if isinstance(value, bool):
        return ValueClass.BOOLEAN
    if isinstance(value, int | float | Decimal):
        return ValueClass.NUMBER
    if isinstance(value, str):
        return _class_of_text(value)
    return ValueClass.ARRAY if isinstance(value, list | tuple) else ValueClass.OBJECT


_SHAPES = (
    (_TIMESTAMP, ValueClass.TIMESTAMP),
    (_HTTP_DATE, ValueClass.TIMESTAMP),
    (_DATE, ValueClass.DATE),
    (_UUID, ValueClass.UUID),
    (_EMAIL, ValueClass.EMAIL),
    (_HEX, ValueClass.DIGEST),
    (_LABEL, ValueClass.LABEL),
)


def _class_of_text(text: str) -> ValueClass:
    if not text:
        return ValueClass.EMPTY
    if len(text) > 4_096:
        return ValueClass.TEXT
    for shape, name in _SHAPES:
        if shape.fullmatch(text):
            return name
    if _URL.fullmatch(text):
        return ValueClass.SIGNED_URL if _SIGNED.search(text) else ValueClass.URL
    return ValueClass.TOKEN if _looks_random(text) else ValueClass.TEXT


def _looks_random(text: str) -> bool:
    """Whether text of one piece was drawn, not written: digits among letters or changing case, and no pattern."""
    if not _OPAQUE.fullmatch(text):
        return False
    letters = sum(character.isalpha() for character in text)
    digits = sum(character.isdigit() for character in text)
    mixed = (letters and digits) or (text[1:] != text[1:].lower() and text != text.upper())
    if len(text) >= 24 and not _VOWELS.search(text):
        return True
    return bool(mixed) and _bits(text) >= min(_RANDOM_BITS, math.log2(len(text)) - 0.6)


def _bits(text: str) -> float:
    """Entropy of a character of this text."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def moment_of(value: Any) -> datetime | None:
    """The moment that a timestamp in ISO form names (UTC where it does not say); None for anything else."""
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        return None
    text = value.replace(",", ".").replace(" UTC", "+00:00")
    text = re.sub(r" ([-+]\d\d:?\d\d)\Z", r"\1", text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
