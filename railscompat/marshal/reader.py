# SPDX-License-Identifier: AGPL-3.0-or-later
"""Marshal bytes → values.

One pass over the bytes with two growing tables, which later bytes refer to by number: the symbols, and the
objects in the order in which they began. A session's strings nearly all look alike (short, marked with the
first symbol of the stream); `_Reader.value` takes those in a few steps, since the edge reads a session per
request.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from railscompat.errors import Code, MarshalError
from railscompat.marshal.values import (
    MAX_BIGNUM_BYTES,
    MAX_BYTES,
    MAX_DEPTH,
    AsciiString,
    Symbol,
    UserString,
    Value,
)

VERSION: Final = b"\x04\x08"

_IVAR, _STRING, _SYMBOL, _SYMLINK, _USER_CLASS = b'I":;C'
_ARRAY, _HASH = b"[{"
_TRUE, _FALSE = b"TF"
_FLOAT = re.compile(rb"-?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:e[-+]?[0-9]{1,4})?|-?inf|nan")
_ENCODING: Final = Symbol("E")
_UTF8_MARK: Final = b"\x06;\x00T"
_ASCII_MARK: Final = b"\x06;\x00F"
"""One instance variable, named by the stream's first symbol: true or false."""
_FIRST_MARK: Final = b"\x06:\x06E"
"""One instance variable, named by a new symbol: the encoding."""


class _Open(Enum):
    """Stands in the table of objects for one whose end was not read yet."""

    OPEN = "open"


_OPEN: Final = _Open.OPEN


def load(data: bytes) -> Value:
    """The value written in `data`, all of which must be used. Raises MarshalError for all other bytes."""
    if len(data) > MAX_BYTES:
        raise MarshalError(Code.TOO_LARGE, f"{len(data)} bytes are more than {MAX_BYTES}")
    if not data.startswith(VERSION):
        raise MarshalError(Code.MALFORMED, "not a Marshal 4.8 stream")
    reader = _Reader(data)
    try:
        value = reader.value()
    except IndexError:
        raise MarshalError(Code.MALFORMED, "the stream ends too early or refers to nothing") from None
    if reader.pos != len(data):
        raise MarshalError(Code.MALFORMED, f"{len(data) - reader.pos} bytes follow the value")
    return value


class _Reader:
    """Position and tables of one reading. Each method reads from `pos` on and leaves it behind what it read.

    Reading beyond the end by index raises IndexError, which `load` translates; slices are checked where
    they are cut.
    """

    __slots__ = ("_data", "_objects", "_symbols", "pos")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._symbols: list[Symbol] = []
        self._objects: list[Value | _Open] = []
        self.pos = len(VERSION)

    def value(self) -> Value:
        """The whole value.

        `items` are those of the innermost open container (a hash's keys and values in turn), `left` is how
        many of them are missing; the stack holds the same of the containers around it.
        """
        data, symbols, objects, pos = self._data, self._symbols, self._objects, self.pos
        stack: list[tuple[list[Value], int, bool, int]] = []
        items: list[Value] = []
        left, is_hash, index = 1, False, 0
        while True:
            kind = data[pos]
            text = None
            if kind == _IVAR and data[pos + 1] == _STRING and 5 < data[pos + 2] < 128:
                # A string of 1 to 122 bytes. Is its encoding, by the stream's first symbol, its only mark?
                end = pos + data[pos + 2] - 2
                mark = data[end : end + 4]
                if mark == _UTF8_MARK and symbols[0] is _ENCODING:
                    text = data[pos + 3 : end].decode("utf-8", "surrogateescape")
                elif mark == _ASCII_MARK and symbols[0] is _ENCODING:
                    text = AsciiString(data[pos + 3 : end].decode("ascii", "surrogateescape"))
                elif not symbols and mark == _FIRST_MARK and data[end + 4] == _TRUE:
                    symbols.append(_ENCODING)
                    text = data[pos + 3 : end].decode("utf-8", "surrogateescape")
                    end += 1
            if text is not None:
                objects.append(text)
                items.append(text)
                left -= 1
                pos = end + 4
            elif kind in (_ARRAY, _HASH):
                stack.append((items, left, is_hash, index))
                self.pos = pos + 1
                items, is_hash, index = [], kind == _HASH, len(objects)
                if len(stack) > MAX_DEPTH:
                    raise MarshalError(Code.TOO_LARGE, f"more than {MAX_DEPTH} levels")
                left = self._count() * (2 if is_hash else 1)
                objects.append(_OPEN)
                pos = self.pos
            else:
                self.pos = pos
                items.append(self._scalar())
                left -= 1
                pos = self.pos
            while not left:
                if not stack:
                    self.pos = pos
                    return items[0]
                closed = objects[index] = _pairs(items) if is_hash else items
                items, left, is_hash, index = stack.pop()
                items.append(closed)
                left -= 1

    def _scalar(self) -> Value:
        """A value that holds no others."""
        kind = self._data[self.pos]
        read = _SCALARS.get(kind)
        if read is None:
            raise MarshalError(Code.UNSUPPORTED, f"type {chr(kind)!r} at byte {self.pos}")
        self.pos += 1
        return read(self)

    # The parts everything is made of.

    def _integer(self) -> int:
        """An integer of up to 31 bits in Ruby's packed form: one byte, or a count and up to four."""
        first = self._data[self.pos]
        self.pos += 1
        if first == 0:
            return 0
        if 4 < first < 128:
            return first - 5
        if 127 < first < 252:
            return first - 251
        width = first if first < 128 else 256 - first
        number = int.from_bytes(self._take(width), "little")
        return number if first < 128 else number - (1 << 8 * width)

    def _count(self) -> int:
        """How many bytes or elements follow. Each takes at least a byte, so no count exceeds what is left."""
        count = self._data[self.pos] - 5
        if 0 < count < 123:
            self.pos += 1
        else:
            count = self._integer()
        if not 0 <= count <= len(self._data) - self.pos:
            raise MarshalError(Code.MALFORMED, f"impossible count {count} before byte {self.pos}")
        return count

    def _take(self, count: int) -> bytes:
        taken = self._data[self.pos : self.pos + count]
        if len(taken) != count:
            raise MarshalError(Code.MALFORMED, "the stream ends too early")
        self.pos += count
        return taken

    def _blob(self) -> bytes:
        return self._take(self._count())

    def _symbol(self) -> Symbol:
        """The name of a class or an instance variable: a symbol in ASCII."""
        kind = self._data[self.pos]
        self.pos += 1
        if kind == _SYMBOL:
            return self._new_symbol()
        if kind == _SYMLINK:
            return self._known_symbol()
        raise MarshalError(Code.MALFORMED, f"no symbol at byte {self.pos - 1}")

    def _new_symbol(self) -> Symbol:
        name = self._blob()
        if not name.isascii():
            raise MarshalError(Code.UNSUPPORTED, "a symbol of no known encoding")
        # That one is compared by identity.
        symbol = _ENCODING if name == b"E" else Symbol(name.decode())
        self._symbols.append(symbol)
        return symbol

    def _known_symbol(self) -> Symbol:
        index = self._integer()
        if not 0 <= index < len(self._symbols):
            raise MarshalError(Code.MALFORMED, f"no symbol has number {index}")
        return self._symbols[index]

    def _marked_symbol(self) -> Symbol:
        """A symbol with letters beyond ASCII. It takes its number before its mark is read."""
        name = self._blob()
        index = len(self._symbols)
        self._symbols.append(Symbol(""))
        if self._integer() != 1 or self._symbol() != _ENCODING or self._data[self.pos] != _TRUE:
            raise MarshalError(Code.UNSUPPORTED, "a symbol in another encoding than UTF-8")
        self.pos += 1
        try:
            symbol = self._symbols[index] = Symbol(name.decode())
        except UnicodeDecodeError:
            raise MarshalError(Code.MALFORMED, "a symbol that is not valid UTF-8") from None
        return symbol

    # One reader per type byte of scalars; the byte itself was read.

    def _nil(self) -> Value:
        return None

    def _true(self) -> Value:
        return True

    def _false(self) -> Value:
        return False

    def _fixnum(self) -> Value:
        return self._integer()

    def _plain_symbol(self) -> Value:
        return self._new_symbol()

    def _symbol_link(self) -> Value:
        return self._known_symbol()

    def _object_link(self) -> Value:
        index = self._integer()
        if not 0 <= index < len(self._objects):
            raise MarshalError(Code.MALFORMED, f"no object has number {index}")
        value = self._objects[index]
        if value is _OPEN:
            raise MarshalError(Code.UNSUPPORTED, "a container that holds itself")
        return value

    def _bignum(self) -> Value:
        sign = self._take(1)
        width = 2 * self._count()
        if sign not in (b"+", b"-"):
            raise MarshalError(Code.MALFORMED, "an integer without a sign")
        if width > MAX_BIGNUM_BYTES:
            raise MarshalError(Code.TOO_LARGE, f"an integer of {width} bytes")
        number = int.from_bytes(self._take(width), "little")
        number = number if sign == b"+" else -number
        self._objects.append(number)
        return number

    def _float(self) -> Value:
        text = self._blob()
        if not _FLOAT.fullmatch(text):
            raise MarshalError(Code.MALFORMED, "not a number")
        number = float(text)
        self._objects.append(number)
        return number

    def _binary(self) -> Value:
        data = self._blob()
        self._objects.append(data)
        return data

    def _marked(self) -> Value:
        """A string or symbol with instance variables, of which the encoding comes first."""
        kind = self._data[self.pos]
        self.pos += 1
        if kind == _SYMBOL:
            return self._marked_symbol()
        ruby_class = None
        if kind == _USER_CLASS:
            ruby_class = self._symbol().name
            kind = self._data[self.pos]
            self.pos += 1
        if kind != _STRING:
            raise MarshalError(Code.UNSUPPORTED, f"type {chr(kind)!r} with instance variables")
        data = self._blob()
        index = len(self._objects)
        self._objects.append(_OPEN)
        ivars = self._ivars()
        text = self._objects[index] = _string(data, ruby_class, ivars)
        return text

    def _ivars(self) -> list[tuple[Symbol, Value]]:
        """Instance variables; their values are too simple to have any themselves."""
        ivars: list[tuple[Symbol, Value]] = []
        for _ in range(self._count()):
            name = self._symbol()
            if self._data[self.pos] == _IVAR:
                raise MarshalError(Code.UNSUPPORTED, "an instance variable that has instance variables")
            ivars.append((name, self._scalar()))
        return ivars


def _string(data: bytes, ruby_class: str | None, ivars: list[tuple[Symbol, Value]]) -> str:
    """The string of these bytes; the first variable tells UTF-8 from US-ASCII."""
    if not ivars or ivars[0][0] != _ENCODING or not isinstance(ivars[0][1], bool):
        raise MarshalError(Code.UNSUPPORTED, "a string in an encoding that is not supported")
    us_ascii = not ivars[0][1]
    text = data.decode("ascii" if us_ascii else "utf-8", "surrogateescape")
    if ruby_class is not None:
        return UserString(text, ruby_class, tuple(ivars[1:]), us_ascii=us_ascii)
    if len(ivars) > 1:
        raise MarshalError(Code.UNSUPPORTED, "a plain string with instance variables")
    return AsciiString(text) if us_ascii else text


def _pairs(items: list[Value]) -> Value:
    """The hash of keys and values in turn."""
    pairs: dict[Any, Value] = {}
    try:
        for index in range(0, len(items), 2):
            pairs[items[index]] = items[index + 1]
    except TypeError:
        raise MarshalError(Code.UNSUPPORTED, "a hash with an array or a hash as key") from None
    if 2 * len(pairs) != len(items):
        raise MarshalError(Code.UNSUPPORTED, "a hash with keys that are one in Python")
    return pairs


_SCALARS: Final[dict[int, Callable[[_Reader], Value]]] = {
    ord("0"): _Reader._nil,
    ord("T"): _Reader._true,
    ord("F"): _Reader._false,
    ord("i"): _Reader._fixnum,
    ord("l"): _Reader._bignum,
    ord("f"): _Reader._float,
    ord(":"): _Reader._plain_symbol,
    ord(";"): _Reader._symbol_link,
    ord("@"): _Reader._object_link,
    ord('"'): _Reader._binary,
    ord("I"): _Reader._marked,
}
