# SPDX-License-Identifier: AGPL-3.0-or-later
"""`$csv`, `$lines` and `$binary`: bodies without structure beyond rows, lines or bytes."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from typing import Any

LINES_LIMIT = 4096
"""How many characters of a text the recorder kept as `$lines`."""


def render_csv(body: Mapping[str, Any]) -> str:
    """Rows as Ruby writes them: quotes only where needed, lines ended by LF."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(body["$csv"])
    text = out.getvalue()
    # A plain refusal is recorded as one cell; it did not end in a newline.
    return text[:-1] if len(text.encode()) == body.get("length", 0) + 1 else text


def read_csv(content: str) -> list[list[str]]:
    """Rows of cells. Raises ValueError."""
    try:
        return list(csv.reader(io.StringIO(content, newline=""), strict=True))
    except csv.Error as error:
        raise ValueError(f"not CSV: {error}") from error


def render_lines(body: Mapping[str, Any]) -> str:
    """The recorded lines, as one text."""
    return "\n".join(body["$lines"])


def read_lines(content: str) -> list[str]:
    """The lines of a text."""
    return content.split("\n")


def lines_are_cut(body: Mapping[str, Any]) -> bool:
    """Whether only the beginning of a text was kept, so that the last recorded line is a piece."""
    return int(body.get("length", 0)) > LINES_LIMIT


def binary_facts(content: bytes) -> dict[str, Any]:
    """Digest and length, as the corpus tells them."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "length": len(content)}
