# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ruby's Marshal 4.8, the subset that Rails' sessions, cookies and signed ids are made of.

    Ruby                            Python
    nil, true, false                None, True, False
    Integer (any size), Float       int, float
    String in UTF-8                 str
    String in US-ASCII              AsciiString (a str)
    String in ASCII-8BIT (binary)   bytes
    ActiveSupport::SafeBuffer and
      other subclasses of String    UserString (a str)
    Symbol                          Symbol
    Array, Hash                     list, dict

Everything else (objects, structs, classes, other encodings, hashes with a default …) is refused: nothing is
ever instantiated by name. Text that is not valid in its encoding keeps its bytes as lone surrogates
(Python's `surrogateescape`) and so survives the way back.

Ruby writes an object that occurs twice once, and then refers to it. Reading gives the same Python object
again, and writing looks at identity just so: what was shared in Ruby is shared in Python and back in Ruby.
Strings of up to one character are the exception: Python shares those by itself, so they are written out.

Reading is bounded: `MAX_BYTES` in all, `MAX_DEPTH` levels, `MAX_BIGNUM_BYTES` per integer, and no count may
promise more than the bytes that follow. Two keys of a hash that are one in Python (`1` and `true`) are
refused rather than merged, and so is a container that holds itself.
"""

from railscompat.errors import MarshalError
from railscompat.marshal.reader import load
from railscompat.marshal.values import (
    MAX_BIGNUM_BYTES,
    MAX_BYTES,
    MAX_DEPTH,
    AsciiString,
    Key,
    Symbol,
    UserString,
    Value,
)
from railscompat.marshal.writer import dump

__all__ = [
    "MAX_BIGNUM_BYTES",
    "MAX_BYTES",
    "MAX_DEPTH",
    "AsciiString",
    "Key",
    "MarshalError",
    "Symbol",
    "UserString",
    "Value",
    "dump",
    "load",
]
