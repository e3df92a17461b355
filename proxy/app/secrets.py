# SPDX-License-Identifier: AGPL-3.0-or-later
"""The one secret that the edge shares with Rails."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class SecretError(Exception):
    """A secret was promised but cannot be read."""


def read_secret_key_base(environ: Mapping[str, str]) -> str | None:
    """SECRET_KEY_BASE, else the content of SECRET_KEY_BASE_FILE, else SECRET_COOKIE_TOKEN (Loomio's older name).

    None where none is set: visitors are then known by the edge's own cookie alone. Raises SecretError.
    """
    value = environ.get("SECRET_KEY_BASE")
    if value:
        return value
    file = environ.get("SECRET_KEY_BASE_FILE")
    if file:
        try:
            value = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SecretError(f"SECRET_KEY_BASE_FILE {file} cannot be read: {error}") from None
        if not value:
            raise SecretError(f"SECRET_KEY_BASE_FILE {file} is empty")
        return value
    return environ.get("SECRET_COOKIE_TOKEN") or None
