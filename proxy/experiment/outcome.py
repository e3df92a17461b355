# SPDX-License-Identifier: AGPL-3.0-or-later
"""The closed list of what a comparison can come to, and the findings it rests on. docs/comparing.md explains each."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

import msgspec


class Outcome(StrEnum):
    """The verdict on a pair. There is no other."""

    MATCH = "match"
    """The same in meaning without any rule's help."""
    MATCH_AFTER_NORMALIZING = "match_after_normalizing"
    """The same once the declared rules were applied."""
    MISMATCH = "mismatch"
    ERROR_ONE_SIDE = "error_one_side"
    """One side answered, the other failed: 5xx, connection refused or reset, not HTTP."""
    NOT_COMPARABLE = "not_comparable"
    """Nothing can be said; `Why` tells the reason. Never counted as a match."""


class Why(StrEnum):
    """Why a pair could not be compared."""

    RACED = "raced"
    TOO_LARGE = "too_large"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    CONTENT_TYPE = "content_type"
    """The two bodies are of different kinds (JSON and HTML, say); the difference is a finding all the same."""
    NOT_MODIFIED = "not_modified"
    """One side said 304: there is no body."""
    ENCODING = "encoding"
    """A body could not be inflated, or not within the bound."""
    UNREADABLE = "unreadable"
    """A body is not what its content type says, on both sides."""
    ERROR_BOTH_SIDES = "error_both_sides"
    OVERFLOW = "overflow"
    """Dropped before it could be asked or compared: a queue was full."""
    BUDGET = "budget"
    """The other side may not be asked more often."""


class Kind(StrEnum):
    """How two values differ."""

    STATUS = "status"
    MISSING = "missing"
    """The control has it, the candidate has not."""
    EXTRA = "extra"
    """The candidate has it, the control has not."""
    TYPE = "type"
    VALUE = "value"
    ORDER = "order"
    TEXT = "text"
    """A recorded wording that is compared by what it has to contain."""
    BODY = "body"
    """The bodies are of different kinds."""


class Severity(StrEnum):
    """How much a finding counts: an ERR blocks a shift, a WARN is shown, an INFO is kept."""

    ERR = "ERR"
    WARN = "WARN"
    INFO = "INFO"


class Difference(msgspec.Struct, frozen=True):
    """A fact: at `pointer` the answers differ. Pointers are JSON pointers from the answer's root: `/status`,
    `/headers/content-type`, `/cookies/NAME/path`, `/body/groups/0/name`; `-` is an element only the candidate has.
    Values are None where there is none."""

    pointer: str
    kind: Kind
    control: Any = None
    candidate: Any = None

    def __str__(self) -> str:
        return f"{self.pointer} {self.kind}: expected {_short(self.control)}, got {_short(self.candidate)}"


class Finding(msgspec.Struct, frozen=True):
    """A difference that no rule explains away. `field` is its pointer with every place in a list, and every key that is
    data, as `*`; `fingerprint` is made of route, field and kind, so it is the same in every run. A pair has one finding
    of a fingerprint: `difference` is the first of its `places`."""

    fingerprint: str
    field: str
    difference: Difference
    severity: Severity = Severity.ERR
    places: int = 1


class Comparison(msgspec.Struct, frozen=True):
    """What a pair came to. `applied`: the names of the rules that explained a difference away."""

    outcome: Outcome
    why: Why | None = None
    findings: tuple[Finding, ...] = ()
    applied: tuple[str, ...] = ()


def _short(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    except RecursionError:
        text = "a value that nests too deeply to be read"
    return text if len(text) <= 100 else f"{text[:97]}…"
