# SPDX-License-Identifier: AGPL-3.0-or-later
"""The notation in which a corpus writes bodies, in both directions.

A recorded body is `null` (empty), JSON, or an object with one *marker*: `$html` (facts of a page), `$csv`
(rows), `$xml` (a tree), `$lines` (other text) or `$binary` (a digest). Inside any of them a string may be a
`$text`: the product's own wording, of which only the length and the data set's texts in it are told.

* `render(body)` makes bytes that have the recorded facts: what playback sends.
* `read(marker, content)` finds the facts in a real body: what the comparison looks at.

Invariant: `read(marker, render(body))` says what `body` says, digests and lengths of the original apart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from contracts.notation import html, tabular, xml
from contracts.notation.tabular import lines_are_cut
from contracts.notation.text import fill, holds, is_text, stand_in
from proxy.experiment.diff.json import read_json

__all__ = [
    "JSON_MARKER",
    "MARKERS",
    "NULL_MARKER",
    "NotReadableError",
    "fill",
    "holds",
    "is_text",
    "lines_are_cut",
    "marker_of",
    "read",
    "render",
    "stand_in",
]

JSON_MARKER = ""
"""The marker of a body that is plain JSON."""

NULL_MARKER = "null"
"""The marker of an empty body."""

MARKERS = ("$html", "$csv", "$xml", "$lines", "$binary")


class NotReadableError(ValueError):
    """A body that is not of the kind that the recording says."""


def marker_of(body: Any) -> str:
    """Which kind of body this recorded value is: one of `MARKERS`, `""` for JSON, `"null"` for empty."""
    if body is None:
        return NULL_MARKER
    if isinstance(body, dict):
        for marker in MARKERS:
            if marker in body:
                return marker
    return JSON_MARKER


def digest_of(body: Any) -> str | None:
    """The SHA-256 of the original bytes of a recorded body, where it is told."""
    marker = marker_of(body)
    if marker in ("$html", "$binary"):
        return str(body[marker].get("sha256"))
    return str(body.get("sha256")) if marker in MARKERS else None


def render(body: Any, stored: Mapping[str, bytes]) -> bytes:
    """Bytes with the facts of a recorded body.

    `stored` maps SHA-256 digests to known contents; where the original is among them it is what is sent.
    Raises `KeyError` (the digest) for a `$binary` whose content is not known.
    """
    digest = digest_of(body)
    if digest is not None and digest in stored:
        return stored[digest]
    marker = marker_of(body)
    if marker == NULL_MARKER:
        return b""
    if marker == "$binary":
        raise KeyError(digest)
    filled = fill(body)
    if marker == JSON_MARKER:
        return _rails_json(filled)
    return _RENDERERS[marker](filled).encode()


def read(marker: str, content: bytes) -> Any:
    """The facts of a real body, in the notation without digests. Raises `NotReadableError`."""
    try:
        if marker == NULL_MARKER:
            return content.decode("latin-1") or None
        if marker == "$binary":
            return {"$binary": tabular.binary_facts(content)}
        if marker == JSON_MARKER:
            return read_json(content)
        return {marker: _READERS[marker](content.decode())}
    except (ValueError, RecursionError) as error:
        raise NotReadableError(str(error)) from error


_RENDERERS: dict[str, Callable[[Any], str]] = {
    "$html": html.render,
    "$csv": tabular.render_csv,
    "$xml": xml.render,
    "$lines": tabular.render_lines,
}

_READERS: dict[str, Callable[[str], Any]] = {
    "$html": html.read,
    "$csv": tabular.read_csv,
    "$xml": xml.read,
    "$lines": tabular.read_lines,
}


def _rails_json(value: Any) -> bytes:
    """JSON as Rails writes it: compact, and what HTML or JavaScript might mistake is escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        if character in text:
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()
