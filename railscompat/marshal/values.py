# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Python side of Marshal: the types that have no counterpart of their own, and the limits."""

from dataclasses import dataclass
from typing import Any, TypeAlias

MAX_BYTES = 65_536
"""Longest stream that is read. Cookies end at 4,096 bytes; signed ids travel in URLs."""
MAX_DEPTH = 64
"""Most levels of arrays and hashes, reading and writing."""
MAX_BIGNUM_BYTES = 512
"""Longest integer: 4,096 bits, which Python still prints in decimal without complaint."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A Ruby symbol. Never equal to the string of the same letters, as in Ruby."""

    name: str

    def __str__(self) -> str:
        return self.name


class AsciiString(str):
    """A string that Ruby holds in US-ASCII: random tokens, numbers made to text, some keys.

    Equal to and hashed like any str of the same letters; only writing it back tells the difference.
    """

    __slots__ = ()


class UserString(str):
    """A string of a Ruby class derived from String, such as `ActiveSupport::SafeBuffer`.

    Class and instance variables (but for the encoding) are kept to be written again and mean nothing here.
    """

    __slots__ = ("ivars", "ruby_class", "us_ascii")

    ruby_class: str
    ivars: tuple[tuple[Symbol, "Value"], ...]
    us_ascii: bool

    def __new__(
        cls,
        text: str,
        ruby_class: str,
        ivars: tuple[tuple[Symbol, "Value"], ...] = (),
        *,
        us_ascii: bool = False,
    ) -> "UserString":
        self = super().__new__(cls, text)
        self.ruby_class = ruby_class
        self.ivars = ivars
        self.us_ascii = us_ascii
        return self


Key: TypeAlias = bool | int | float | str | bytes | Symbol | None
"""What a hash may have as a key."""

Value: TypeAlias = bool | int | float | str | bytes | Symbol | list["Value"] | dict[Any, "Value"] | None
"""Anything that can be read or written; `AsciiString` and `UserString` are strs.

Keys of hashes are of type `Key`. They are not declared so, since a `dict[str, …]` would then be no Value.
"""
