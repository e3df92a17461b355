# SPDX-License-Identifier: AGPL-3.0-or-later
"""Settings as they may be shown: every one of them, and no secret. Pure."""

from __future__ import annotations

import dataclasses
import re
import urllib.parse
from datetime import datetime
from typing import Any

from services.kernel.settings import Settings

HIDDEN = "(set)"
_LEFT_OUT = frozenset(("environment", "theirs"))
"""What is no setting of its own: all variables as they are, and the texts of files that are named."""

_URLS = re.compile(r"(?:^|_)url$")


def shown(settings: Settings, workers: int = 1) -> dict[str, Any]:
    """Setting → value, with what they come to: how many connections PostgreSQL must have room for."""
    values: dict[str, Any] = _fields(settings)
    each = settings.database.pool_size + (settings.database.listen_url is not None)
    values["connections"] = {"per_worker": each, "workers": workers, "at_most": each * workers}
    return values


def _fields(value: Any) -> dict[str, Any]:
    return {
        one.name: _field(one, getattr(value, one.name))
        for one in dataclasses.fields(value)
        if one.name not in _LEFT_OUT
    }


def _field(field: dataclasses.Field[Any], value: Any) -> Any:
    if value is None or value == "":
        return None
    if dataclasses.is_dataclass(value):
        return _fields(value)
    if _URLS.search(field.name):
        return without_secrets(value)
    if not field.repr:
        return HIDDEN
    if isinstance(value, re.Pattern):
        return value.pattern
    if isinstance(value, tuple):
        return ", ".join(value) or None
    return value.isoformat() if isinstance(value, datetime) else value


def without_secrets(url: str) -> str:
    """A URL without password and without the values of its options."""
    parts = urllib.parse.urlsplit(url)
    credentials, at, place = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    netloc = f"{user}{':***' if colon else ''}{at}{place}"
    options = "&".join(f"{name}=***" for name, _ in urllib.parse.parse_qsl(parts.query))
    return urllib.parse.urlunsplit(parts._replace(netloc=netloc, query=options))
