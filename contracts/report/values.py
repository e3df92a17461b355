# SPDX-License-Identifier: AGPL-3.0-or-later
"""Values as text: one beside the other with the differing part apart, and nothing that could drive a terminal."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from proxy.experiment.outcome import Kind

ABSENT = "(not there)"
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_AROUND = 60
"""Characters shown around a difference."""
_LONGEST = 2_000
"""Characters shown of the difference itself."""


class Parts(NamedTuple):
    """A value as text, in three: what both have before, what differs, what both have after."""

    before: str
    differs: str
    after: str

    def __str__(self) -> str:
        return "".join(self)


def shown(value: Any) -> str:
    """A value as JSON, its characters as they are but for those that command something. What was masked stands bare."""
    if _is_masked(value):
        return clean(value)
    return clean(json.dumps(value, ensure_ascii=False, default=str))


def clean(text: str) -> str:
    """Control characters, marks of direction and half characters as escapes."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def short(text: str, longest: int) -> str:
    """At most so many characters, told when it is cut."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def side_by_side(kind: Kind, control: Any, candidate: Any) -> tuple[Parts, Parts]:
    """Both values with what they share told apart, cut where they are long."""
    if kind is Kind.MISSING:
        return Parts("", short(shown(control), _LONGEST), ""), Parts("", ABSENT, "")
    if kind is Kind.EXTRA:
        return Parts("", ABSENT, ""), Parts("", short(shown(candidate), _LONGEST), "")
    left, right = shown(control), shown(candidate)
    if not (_has_parts(control) and _has_parts(candidate)):
        return Parts("", short(left, _LONGEST), ""), Parts("", short(right, _LONGEST), "")
    shared = min(len(left), len(right))
    before = next((place for place in range(shared) if left[place] != right[place]), shared)
    most = shared - before
    after = next((place for place in range(most) if left[-1 - place] != right[-1 - place]), most)
    return _parts(left, before, after), _parts(right, before, after)


def _is_masked(value: Any) -> bool:
    """Whether it stands for a value that may not be kept (proxy.experiment.redact)."""
    return isinstance(value, str) and value.startswith("⟨") and value.endswith("⟩")


def _has_parts(value: Any) -> bool:
    return isinstance(value, str | list | dict) and not _is_masked(value)


def _parts(text: str, before: int, after: int) -> Parts:
    end = len(text) - after
    head, tail = text[:before], text[end:]
    return Parts(
        head if len(head) <= _AROUND else "…" + head[-_AROUND:],
        short(text[before:end], _LONGEST),
        tail if len(tail) <= _AROUND else tail[:_AROUND] + "…",
    )
