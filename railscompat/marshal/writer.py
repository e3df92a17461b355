# SPDX-License-Identifier: AGPL-3.0-or-later
"""Values → Marshal bytes, byte for byte as Ruby writes them."""

import math
from typing import Final

from railscompat.errors import Code, MarshalError
from railscompat.marshal.reader import VERSION
from railscompat.marshal.values import MAX_BIGNUM_BYTES, MAX_DEPTH, AsciiString, Symbol, UserString, Value

_FIXNUM_LIMIT: Final = 1 << 30
"""Integers from here on, and those below its negative, are written as big ones on every machine."""
_OBJECT_LIMIT: Final = 1 << 62


def dump(value: Value) -> bytes:
    """The stream that Ruby's `Marshal.load` turns into `value`.

    Raises MarshalError for values of other types, text that no encoding can hold, integers beyond the
    limit, and containers that are nested too deep.
    """
    writer = _Writer()
    writer.value(value, 0)
    return bytes(writer.out)


class _Writer:
    """The bytes so far, and the numbers of the symbols and objects that were written."""

    __slots__ = ("_count", "_objects", "_symbols", "out")

    def __init__(self) -> None:
        self.out = bytearray(VERSION)
        self._symbols: dict[Symbol, int] = {}
        # By id(): the whole value is alive while it is written, so no id is used twice.
        self._objects: dict[int, int] = {}
        self._count = 0

    def value(self, value: Value, depth: int) -> None:
        """Any value; `depth` is the number of containers around it."""
        if value is None:
            self.out += b"0"
        elif value is True:
            self.out += b"T"
        elif value is False:
            self.out += b"F"
        elif isinstance(value, int) and -_FIXNUM_LIMIT <= value < _FIXNUM_LIMIT:
            self.out += b"i"
            self._integer(value)
        elif isinstance(value, Symbol):
            self._symbol(value)
        elif not self._link(value):
            self._object(value, depth)

    def _link(self, value: Value) -> bool:
        """Refers to an object that was written before; otherwise gives it the next number."""
        number = self._objects.get(id(value))
        if number is not None:
            self.out += b"@"
            self._integer(number)
            return True
        if not _is_never_shared(value):
            self._objects[id(value)] = self._count
        self._count += 1
        return False

    def _object(self, value: Value, depth: int) -> None:
        if isinstance(value, str):
            self._string(value, depth)
        elif isinstance(value, bytes):
            self.out += b'"'
            self._blob(value)
        elif isinstance(value, int):
            self._bignum(value)
        elif isinstance(value, float):
            self.out += b"f"
            self._blob(_float(value))
        elif isinstance(value, list):
            self._enter(b"[", len(value), depth)
            for element in value:
                self.value(element, depth + 1)
        elif isinstance(value, dict):
            self._enter(b"{", len(value), depth)
            for key, element in value.items():
                self.value(key, depth + 1)
                self.value(element, depth + 1)
        else:
            raise MarshalError(Code.UNSUPPORTED, f"{type(value).__name__} has no place in Marshal")

    def _enter(self, kind: bytes, count: int, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise MarshalError(Code.TOO_LARGE, f"more than {MAX_DEPTH} levels")
        self.out += kind
        self._integer(count)

    def _integer(self, number: int) -> None:
        """Up to 31 bits in Ruby's packed form: one byte, or a count and up to four."""
        if number == 0:
            self.out.append(0)
        elif 0 < number < 123:
            self.out.append(number + 5)
        elif -124 < number < 0:
            self.out.append(number + 251)
        else:
            width = ((number if number > 0 else ~number).bit_length() + 7) // 8
            self.out.append(width if number > 0 else 256 - width)
            self.out += (number & ((1 << 8 * width) - 1)).to_bytes(width, "little")

    def _bignum(self, number: int) -> None:
        width = (number.bit_length() + 15) // 16
        if 2 * width > MAX_BIGNUM_BYTES:
            raise MarshalError(Code.TOO_LARGE, f"an integer of {number.bit_length()} bits")
        self.out += b"l+" if number > 0 else b"l-"
        self._integer(width)
        self.out += abs(number).to_bytes(2 * width, "little")

    def _blob(self, data: bytes) -> None:
        self._integer(len(data))
        self.out += data

    def _symbol(self, symbol: Symbol) -> None:
        number = self._symbols.get(symbol)
        if number is not None:
            self.out += b";"
            self._integer(number)
            return
        self._symbols[symbol] = len(self._symbols)
        plain = symbol.name.isascii()
        self.out += b":" if plain else b"I:"
        self._blob(_encode(symbol.name, "utf-8", "strict"))
        if not plain:
            self._mark(utf8=True)

    def _string(self, text: str, depth: int) -> None:
        us_ascii = isinstance(text, AsciiString)
        ivars: tuple[tuple[Symbol, Value], ...] = ()
        self.out += b"I"
        if isinstance(text, UserString):
            us_ascii, ivars = text.us_ascii, text.ivars
            self.out += b"C"
            self._symbol(Symbol(text.ruby_class))
        self.out += b'"'
        self._blob(_encode(text, "ascii" if us_ascii else "utf-8", "surrogateescape"))
        self._mark(utf8=not us_ascii, count=1 + len(ivars))
        for name, value in ivars:
            self._symbol(name)
            self.value(value, depth + 1)

    def _mark(self, *, utf8: bool, count: int = 1) -> None:
        """The instance variables' count and the first of them: the encoding."""
        self._integer(count)
        self._symbol(Symbol("E"))
        self.out += b"T" if utf8 else b"F"


def _is_never_shared(value: Value) -> bool:
    """Whether it means nothing that an object occurs twice, so that Ruby has it written out each time.

    Integers of up to 62 bits are no objects in Ruby's memory; strings this short are shared by Python itself.
    """
    if isinstance(value, int):
        return -_OBJECT_LIMIT <= value < _OBJECT_LIMIT
    return isinstance(value, str | bytes) and len(value) < 2 and type(value) in (str, bytes)


def _encode(text: str, encoding: str, errors: str) -> bytes:
    try:
        return text.encode(encoding, errors)
    except UnicodeEncodeError:
        raise MarshalError(Code.MALFORMED, f"text that {encoding} cannot hold") from None


def _float(number: float) -> bytes:
    """The shortest digits that read back as `number`, laid out as Ruby does: `1`, `0.25`, `1e2`, `1.5e-7`."""
    if not math.isfinite(number) or number == 0:
        return repr(number).removesuffix(".0").encode()
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(digits) - len(fraction) + int(exponent or "0")
    digits = digits.rstrip("0")
    if point < -3 or point > len(digits):
        text = f"{digits[0]}.{digits[1:]}".removesuffix(".") + f"e{point - 1}"
    elif point > 0:
        text = f"{digits[:point]}.{digits[point:]}".removesuffix(".")
    else:
        text = f"0.{'0' * -point}{digits}"
    return f"{'-' if number < 0 else ''}{text}".encode()
