# SPDX-License-Identifier: AGPL-3.0-or-later
"""Query strings as Rails (Rack 3) reads them.

The last of equal names wins; `name` without `=` is there, but null; `name[]` and `name[key]` are nested.
What Rails refuses (broken escapes, bytes that are no UTF-8) is refused, and so is what would make it fall
over later: nested values where text is expected, and null characters.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from services.kernel.errors import BadRequestError

LARGEST_ID = 2**63 - 1
"""Beyond PostgreSQL's bigint: an id larger than this is nobody's."""

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_RUBY_INTEGER = re.compile(r"[ \t\n\v\f\r]*([+-]?)([0-9]+(?:_[0-9]+)*)")
_MOST_DIGITS = 40


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of many: those before `first` are left out, then `number` are taken."""

    first: int
    number: int


class _Nested:
    """Stands for a list or mapping; no endpoint that is served here takes one."""


class Params:
    """The parameters of one request, from its path and its query."""

    def __init__(self, query: str, path: dict[str, str] | None = None) -> None:
        """Parse `query` (still escaped); `path` holds what the route's own segments said. Raises `BadRequestError`."""
        self._values: dict[str, str | _Nested | None] = {}
        for pair in query.split("&"):
            if not pair:
                continue
            name, equals, value = pair.partition("=")
            name = _unescape(name)
            outer, bracket, _ = name.partition("[")
            self._values[outer] = _Nested() if bracket and outer else (_unescape(value) if equals else None)
        self._values.update(path or {})

    def __contains__(self, name: str) -> bool:
        """Whether the request has it, be it empty."""
        return name in self._values

    def text(self, name: str) -> str | None:
        """Its text; None where it is missing or has no value. Raises `BadRequestError` where it is nested."""
        value = self._values.get(name)
        if isinstance(value, _Nested):
            raise BadRequestError
        return value

    def words(self, name: str) -> frozenset[str]:
        """Its space-separated words."""
        return frozenset((self.text(name) or "").split())

    def page(self, usual: int = 50) -> Page:
        """Which rows of many are asked for, by `from` and `per`. Raises `BadRequestError` below zero, as PostgreSQL."""
        first, number = (self.text(name) for name in ("from", "per"))
        page = Page(ruby_to_i(first or ""), usual if number is None else ruby_to_i(number))
        if page.first < 0 or page.number < 0:
            raise BadRequestError
        return Page(min(page.first, LARGEST_ID), min(page.number, LARGEST_ID))

    def moment(self, name: str) -> datetime | None:
        """An ISO time, as columns have it; None where it is missing. Raises `BadRequestError` for anything else."""
        if (text := self.text(name)) is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise BadRequestError from None
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment

    def ids(self, name: str) -> list[int] | None:
        """Ids joined by `x`, as numbers, doubles dropped; None where it is missing."""
        if name not in self._values:
            return None
        text = self.text(name)
        if text is None:
            raise BadRequestError
        return list(dict.fromkeys(ruby_to_i(part) for part in split(text, "x")))


def _unescape(text: str) -> str:
    if _BROKEN_ESCAPE.search(text):
        raise BadRequestError
    try:
        plain = urllib.parse.unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise BadRequestError from None
    if "\0" in plain:
        raise BadRequestError
    return plain


def split(text: str, separator: str) -> list[str]:
    """Ruby's `split`: empty pieces at the end are dropped."""
    pieces = text.split(separator)
    while pieces and not pieces[-1]:
        pieces.pop()
    return pieces


def ruby_to_i(text: str) -> int:
    """Ruby's `to_i`: the number that the text begins with, 0 where it begins with none."""
    found = _RUBY_INTEGER.match(text)
    return _number(found) if found else 0


def ruby_integer(text: str) -> int | None:
    """Ruby's `Integer(text, 10)`: the number that the text is, apart from blanks around; None where it is none."""
    found = _RUBY_INTEGER.match(text)
    return _number(found) if found and not text[found.end() :].strip() else None


def _number(found: re.Match[str]) -> int:
    # Python refuses to read thousands of digits; cut, the number still is nobody's id.
    number = int(found[2][:_MOST_DIGITS].rstrip("_"))
    return -number if found[1] == "-" else number


def known_ids(ids: Iterable[int]) -> list[int]:
    """Those that a row could have at all."""
    return [one for one in ids if -LARGEST_ID <= one <= LARGEST_ID]
