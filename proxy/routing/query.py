# SPDX-License-Identifier: AGPL-3.0-or-later
"""Query strings as Rack reads them: just enough to find a parameter by its name.

Rack decodes names (`membership%5Ftoken`, `+`), nests them (`a[b]`), ignores brackets around them (`[b]`), and its older
versions separate pairs by `;` too. Whoever wants to hide a parameter from the edge and show it to Rails would use just
that, so names are looked at decoded, and every part of a nested name counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote_to_bytes

_SEPARATOR = re.compile(rb"[&;]")
_PART = re.compile(rb"[^\[\]]+")


def names_in(query: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Decoded name and raw value of every pair, in order."""
    for pair in _SEPARATOR.split(query):
        name, _, value = pair.partition(b"=")
        if b"%" in name or b"+" in name:
            name = unquote_to_bytes(name.replace(b"+", b" "))
        yield name, value


def carries(query: bytes, names: Sequence[bytes]) -> bool:
    """Whether any of `names` is the name, or part of the nested name, of a parameter in `query`."""
    if not query or not names:
        return False
    if b"%" not in query:
        # Nothing is hidden, so a name that is there is there literally (the usual case: none is).
        for name in names:
            if name in query:
                break
        else:
            return False
    for name, _ in names_in(query):
        for part in _PART.findall(name):
            if part.strip() in names:
                return True
    return False


def value_of(query: bytes, names: Sequence[bytes]) -> bytes | None:
    """The decoded value of the last parameter called one of `names` (Rack's last one wins); None without."""
    if not query or not names:
        return None
    if b"%" not in query and not any(name in query for name in names):
        return None
    found = None
    for name, value in names_in(query):
        if name in names and value:
            found = unquote_to_bytes(value.replace(b"+", b" "))
    return found
