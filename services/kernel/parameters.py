# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a route reads of a request's query, declared for whoever reads `/openapi.json`.

    Route("GET", "/api/v1/groups", "groups#index", index, reads=(ids("xids"), text("q"), *PAGE, EXCLUDE_TYPES))

Handlers read what they like; a contract test sees to it that they read what their routes declare, and
nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Parameter:
    """One name in the query."""

    name: str
    schema: Mapping[str, Any]
    """JSON Schema of the value."""
    says: str


def text(name: str, says: str = "") -> Parameter:
    """Any text."""
    return Parameter(name, {"type": "string"}, says)


def number(name: str, says: str = "") -> Parameter:
    """A whole number; texts count as the number they begin with, 0 where they begin with none."""
    return Parameter(name, {"type": "integer"}, says)


def one_of(name: str, values: tuple[str, ...], says: str = "") -> Parameter:
    """One of these; anything else counts as none."""
    return Parameter(name, {"type": "string", "enum": list(values)}, says)


def ids(name: str, says: str = "") -> Parameter:
    """Ids joined by `x`."""
    return Parameter(name, {"type": "string", "examples": ["1x2x3"]}, says or "Ids, joined by x.")


def record(kind: str) -> tuple[Parameter, ...]:
    """The names that a request may use for its record of this kind, in the order in which they count."""
    return (
        number(f"{kind}_id", f"The {kind}'s id."),
        text(f"{kind}_key", f"The {kind}'s key, as addresses show it; or its id."),
    )


PAGE = (
    number("from", "How many rows are left out."),
    number("per", "How many rows are answered; 50 where nothing is said."),
)

EXCLUDE_TYPES = text("exclude_types", "Kinds of records that are not wanted, separated by spaces.")

PERSONS = (
    text("locale", "The language of what is told."),
    text("discussion_reader_token", "Opens a thread to somebody who is signed out."),
    text("group_token", "Opens a group to somebody who is signed out."),
    text("membership_token", "An invitation to a group."),
    text("stance_token", "An invitation to vote."),
)
"""What every route reads that people come in by."""
