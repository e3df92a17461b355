# SPDX-License-Identifier: AGPL-3.0-or-later
"""The diff engine: in what two answers differ. Facts only; what they count for is decided elsewhere. Pure.

    bodies   what kind of body an answer has, and its content as a value: JSON, rows, lines, a digest
    json     strict JSON that loses no digit and stands any depth
    walk     lays two values side by side, iteratively, and tells every difference as a `Fact`
    lists    which element of one array is which of the other: by `id`, as a sequence, or as a multiset
    headers  the declared headers, and cookies by name and attribute
    place    where a fact lies: `pointer` (this list's third element) and `field` (any element of such a list)

Invariants: nothing here raises, whatever the bodies hold; nothing recurses by depth of the input; a value differs from
itself nowhere; numbers are equal as numbers, exactly, and `true` is no number; how a string was escaped, and the order
of an object's members, mean nothing; where a member stands twice the last one counts, as in every browser.
"""

from __future__ import annotations

from proxy.experiment.diff.bodies import (
    Body,
    BodyKind,
    UnreadableError,
    kind_of,
    media_type,
    primary_list,
    read_body,
)
from proxy.experiment.diff.headers import (
    APART_COOKIES,
    COMPARED_HEADERS,
    cookie,
    cookie_facts,
    header_facts,
    header_value,
)
from proxy.experiment.diff.json import surely_equal
from proxy.experiment.diff.place import Place, escaped, field_of, place_of, pointer_of, tokens
from proxy.experiment.diff.walk import Fact, Strict, View, json_type, walk

__all__ = [
    "APART_COOKIES",
    "COMPARED_HEADERS",
    "Body",
    "BodyKind",
    "Fact",
    "Place",
    "Strict",
    "UnreadableError",
    "View",
    "cookie",
    "cookie_facts",
    "escaped",
    "field_of",
    "header_facts",
    "header_value",
    "json_type",
    "kind_of",
    "media_type",
    "place_of",
    "pointer_of",
    "primary_list",
    "read_body",
    "surely_equal",
    "tokens",
    "walk",
]
