# SPDX-License-Identifier: AGPL-3.0-or-later
"""Strict JSON (RFC 8259) as Python values, without the loss of a digit, at any depth.

A number with a fraction becomes a `Decimal`: `0.1` and `0.10000000000000001` are two numbers, though a float cannot
tell. One number has one form, so that equal values are written equally: `1.0` and `1e0` become the integer 1. msgspec
reads nearly everything; what nests deeper than it can is read by a loop of our own.
"""

from __future__ import annotations

import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import Any

import msgspec

_exactly = Context(prec=1_000_000_000, Emax=MAX_EMAX, Emin=MIN_EMIN)
_MOST_ZEROS = 30
"""An integer written with a larger exponent stays a Decimal: `1e999999` is not to be written out."""


def _number(text: str) -> int | Decimal:
    """A number in its one form."""
    if text[-1] != "0" and "e" not in text and "E" not in text:
        return Decimal(text)  # as nearly all are written
    number = _exactly.normalize(Decimal(text))
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and 0 <= exponent <= _MOST_ZEROS and len(text) < _MOST_DIGITS:
        return int(number)
    return number


_MOST_DIGITS = 4_000
"""Python refuses to convert integers of more; Decimal does not."""

_fast = msgspec.json.Decoder(float_hook=_number).decode

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"(-?(?:0|[1-9]\d*))(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_WORDS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}


_written = msgspec.json.Encoder(order="sorted", decimal_format="number").encode


def surely_equal(one: Any, other: Any) -> bool:
    """Whether two values that were read here are equal, told quickly; where that cannot be, False."""
    try:
        return _written(one) == _written(other)
    except (RecursionError, ValueError):
        return False


class JsonError(ValueError):
    """Not JSON; the message says why."""


def read_json(content: bytes) -> Any:
    """The value. Raises `JsonError`."""
    try:
        return _fast(content)
    except (RecursionError, msgspec.ValidationError):
        # Too deep, or an integer of thousands of digits.
        return _Reader(_text(content)).document()
    except (ValueError, ArithmeticError) as error:
        raise JsonError(str(error) or type(error).__name__) from error


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise JsonError(str(error)) from error


class _Reader:
    """Reads one document with a stack of its own."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def document(self) -> Any:
        root: list[Any] = []
        open_containers: list[Any] = [root]
        keys: list[str | None] = [None]
        wants_value = True
        while len(open_containers) > 1 or wants_value:
            container = open_containers[-1]
            character = self._next()
            if not wants_value:
                wants_value = self._after_value(container, character, keys)
                if not wants_value:
                    open_containers.pop()
                    keys.pop()
                continue
            if character in "]}" and container and container is not root:
                raise self._wrong()
            if (character == "]" and isinstance(container, list) and container is not root) or (
                character == "}" and isinstance(container, dict)
            ):
                self._at += 1
                open_containers.pop()
                keys.pop()
                wants_value = False
                continue
            if isinstance(container, dict):
                keys[-1] = self._key()
                character = self._next()
            value, is_open = self._value(character)
            if isinstance(container, dict):
                container[keys[-1]] = value
            else:
                container.append(value)
            if is_open:
                open_containers.append(value)
                keys.append(None)
            else:
                wants_value = False
        if self._next():
            raise self._wrong()
        return root[0]

    def _after_value(self, container: Any, character: str, keys: list[str | None]) -> bool:
        """Passes over a comma (True: another value follows) or the end of the container."""
        if character not in (",", "}" if isinstance(container, dict) else "]"):
            raise self._wrong()
        self._at += 1
        if character == ",":
            if self._next() in ("]", "}", ""):
                raise self._wrong()
            return True
        return False

    def _next(self) -> str:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._text[self._at : self._at + 1]

    def _key(self) -> str:
        if self._text[self._at : self._at + 1] != '"':
            raise self._wrong()
        key = self._string()
        if self._next() != ":":
            raise self._wrong()
        self._at += 1
        return key

    def _value(self, character: str) -> tuple[Any, bool]:
        """The value that begins here, and whether it is a container to be filled."""
        if character == "{" or character == "[":
            self._at += 1
            return ({} if character == "{" else []), True
        if character == '"':
            return self._string(), False
        if character in _WORDS:
            word, value = _WORDS[character]
            if self._text.startswith(word, self._at):
                self._at += len(word)
                return value, False
        return self._number(), False

    def _string(self) -> str:
        found = _STRING.match(self._text, self._at)
        if not found:
            raise self._wrong()
        self._at = found.end()
        try:
            return msgspec.json.decode(found[0], type=str)
        except msgspec.DecodeError as error:
            raise JsonError(str(error)) from error

    def _number(self) -> int | Decimal:
        found = _NUMBER.match(self._text, self._at)
        if not found:
            raise self._wrong()
        self._at = found.end()
        whole, fraction, exponent = found.groups()
        if fraction is None and exponent is None and len(whole) < _MOST_DIGITS:
            return int(whole)
        try:
            return _number(found[0])
        except InvalidOperation as error:
            raise JsonError(f"a number beyond all bounds: {found[0][:40]}") from error

    def _wrong(self) -> JsonError:
        what = "ends too early" if self._at >= len(self._text) else "is malformed"
        return JsonError(f"JSON {what} (character {self._at})")
