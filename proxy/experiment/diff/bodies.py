# SPDX-License-Identifier: AGPL-3.0-or-later
"""What kind of body an answer has, and what it says as a value that can be walked.

JSON is its value; CSV is rows of cells; pages and other text are lines; anything else is one digest.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple

from proxy.experiment.diff.json import JsonError, read_json


class BodyKind(StrEnum):
    """How a body is read. Bodies of two kinds are not compared."""

    EMPTY = "empty"
    """No content type and no byte."""
    JSON = "json"
    HTML = "html"
    CSV = "csv"
    TEXT = "text"
    BINARY = "binary"


class UnreadableError(ValueError):
    """A body that is not what its content type says."""


class Body(NamedTuple):
    """A body as it is compared."""

    kind: BodyKind
    value: Any


_TEXTS = frozenset(
    ("application/javascript", "application/xml", "application/ecmascript", "application/x-javascript")
)


def media_type(headers: Iterable[tuple[str, str]]) -> str:
    """The media type in lower case without parameters; empty where there is none."""
    return next(
        (
            value.partition(";")[0].strip().lower()
            for name, value in headers
            if name.lower() == "content-type"
        ),
        "",
    )


def kind_of(media: str, content: bytes) -> BodyKind:
    """How a body of this media type is read."""
    if not media:
        return BodyKind.BINARY if content else BodyKind.EMPTY
    if media == "application/json" or media.endswith("+json"):
        return BodyKind.JSON
    if media in ("text/html", "application/xhtml+xml"):
        return BodyKind.HTML
    if media == "text/csv":
        return BodyKind.CSV
    if media.startswith("text/") or media in _TEXTS or media.endswith("+xml"):
        return BodyKind.TEXT
    return BodyKind.BINARY


def read_body(kind: BodyKind, content: bytes) -> Body:
    """The body as a value. Raises `UnreadableError`."""
    if kind is BodyKind.EMPTY:
        return Body(kind, None)
    if kind is BodyKind.BINARY:
        return Body(kind, f"{len(content)} bytes, sha256:{hashlib.sha256(content).hexdigest()}")
    if kind is BodyKind.JSON:
        try:
            return Body(kind, read_json(content))
        except JsonError as error:
            raise UnreadableError(str(error)) from error
    text = _text(content)
    if kind is BodyKind.CSV:
        try:
            return Body(kind, list(csv.reader(io.StringIO(text, newline=""), strict=True)))
        except csv.Error as error:
            raise UnreadableError(f"not CSV: {error}") from error
    return Body(kind, text.split("\n"))


def primary_list(value: Any) -> str | None:
    """The list that an answer is about, by its `meta.root`; the lists beside it are side-loaded."""
    meta = value.get("meta") if isinstance(value, dict) else None
    root = meta.get("root") if isinstance(meta, dict) else None
    return root if isinstance(root, str) else None


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        # Another character set, or none: each byte stands for itself, so that nothing is lost.
        return content.decode("latin-1")
