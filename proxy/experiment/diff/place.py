# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where a difference lies.

A place is a chain of reference tokens, written out only for what differs. Two readings of it:

- the *pointer* is a JSON pointer (RFC 6901) to the one value: `/body/polls/3/option_scores/17`;
- the *field* is what it has in common with its like: `/body/polls/*/option_scores/*`. Places in lists are `*`, and so
  are object keys that are data and no names: numbers, UUIDs, addresses, long texts.
"""

from __future__ import annotations

import re

EXTRA = -1
"""The place of an element that only the candidate's list has; `-` in a pointer."""

Place = tuple["Place", str | int] | None
"""The place above, and a reference token: a name in an object (text) or a place in a list (number)."""

_DATA = re.compile(
    r"[-+]?\d+(?:\.\d+)?|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22}|.*@.*|.{65,}|", re.DOTALL
)
"""Keys that are data. The empty key, too: it is no name."""


def place_of(*names: str | int) -> Place:
    """The place below these reference tokens."""
    place: Place = None
    for name in names:
        place = (place, name)
    return place


def steps(place: Place) -> list[str | int]:
    """The reference tokens from the root."""
    found: list[str | int] = []
    while place is not None:
        place, token = place
        found.append(token)
    found.reverse()
    return found


def lies_deep(place: Place, most: int = 100) -> bool:
    """Whether a place has more than `most` steps: deeper than anybody writes rules for."""
    while place is not None and most >= 0:
        place, most = place[0], most - 1
    return most < 0


def pointer_of(place: Place) -> str:
    """The JSON pointer of a place."""
    return "".join(
        f"/{escaped(token)}" if isinstance(token, str) else "/-" if token == EXTRA else f"/{token}"
        for token in steps(place)
    )


def field_of(place: Place) -> str:
    """The field of a place."""
    return "".join(
        f"/{escaped(token)}" if isinstance(token, str) and not _DATA.fullmatch(token) else "/*"
        for token in steps(place)
    )


def tokens(pointer: str) -> list[str]:
    """The reference tokens of a JSON pointer (RFC 6901)."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def escaped(token: str) -> str:
    """A reference token as it stands in a pointer."""
    return token.replace("~", "~0").replace("/", "~1")
