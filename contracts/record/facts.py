# SPDX-License-Identifier: AGPL-3.0-or-later
"""An answer in the notation of recordings, without its secrets. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from contracts.compare import Answer
from contracts.compare.answer import SELECTED_HEADERS
from contracts.notation import JSON_MARKER, NotReadableError, read
from proxy.experiment.diff import escaped

REDACTED = "REDACTED"

_SECRET = re.compile(
    r"(^|[_\[.-])(token|secret|password|api_?key|csrf|authenticity_token|hash)(\]?$|_)", re.IGNORECASE
)
_IN_ADDRESS = re.compile(
    r"(?P<name>[?&;][\w.\[\]-]*(?:token|secret|password|api_?key|hash|signature|code)=)[^&#;\"'\s]+",
    re.IGNORECASE,
)
_SIGNED = re.compile(r"[A-Za-z0-9_=%+/-]{16,}--[0-9a-f]{40,}")
_KINDS = (("html", "$html"), ("csv", "$csv"), ("xml", "$xml"), ("text/", "$lines"))


def response_of(answer: Answer) -> tuple[dict[str, Any], list[str]]:
    """The recorded form of an answer, and the pointers (from the line's root) of what was taken out of it."""
    headers: dict[str, Any] = {}
    for name, value in answer.headers:
        lowered = name.lower()
        if lowered == "set-cookie":
            headers.setdefault(lowered, []).append(_cookie(value))
        elif lowered in SELECTED_HEADERS:
            headers[lowered] = value
    response = {"status": answer.status, "headers": headers, "body": _body(answer)}
    removed: list[str] = []
    return _without_secrets(response, "/response", "", removed), removed


def target_without_secrets(target: str) -> str:
    """Path and query, the values of secret parameters replaced."""
    return _SIGNED.sub(REDACTED, _IN_ADDRESS.sub(rf"\g<name>{REDACTED}", target))


def _body(answer: Answer) -> Any:
    if not answer.body:
        return None
    media = next((value.lower() for name, value in answer.headers if name.lower() == "content-type"), "")
    marker = (
        JSON_MARKER if "json" in media else next((kind for word, kind in _KINDS if word in media), "$binary")
    )
    try:
        facts = read(marker, answer.body)
    except NotReadableError:
        marker, facts = "$binary", read("$binary", answer.body)
    if marker in (JSON_MARKER, "$binary"):
        return facts
    digest = {"sha256": hashlib.sha256(answer.body).hexdigest(), "length": len(answer.body)}
    return {marker: facts[marker] | digest} if marker == "$html" else facts | digest


def _cookie(line: str) -> dict[str, Any]:
    """Name and attributes; the value is not kept."""
    pair, *attributes = line.split(";")
    told = {
        name.strip().lower(): value.strip() for name, _, value in (one.partition("=") for one in attributes)
    }
    name, _, value = pair.strip().partition("=")
    cookie: dict[str, Any] = {
        "name": name,
        "path": told.get("path", ""),
        "httponly": "httponly" in told,
        "secure": "secure" in told,
        "samesite": told.get("samesite", ""),
        "expires": "expires" in told or "max-age" in told,
    }
    deleted = not value and (told.get("max-age") == "0" or "1970" in told.get("expires", ""))
    return {**cookie, "deleted": True} if deleted else cookie


def _without_secrets(value: Any, pointer: str, name: str, removed: list[str]) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_secrets(one, f"{pointer}/{escaped(key)}", key, removed)
            for key, one in value.items()
        }
    if isinstance(value, list):
        # Pairs of name and value (meta, hidden fields) tell the name first.
        named = next((one for one in value if isinstance(one, str) and _SECRET.search(one)), name)
        return [
            _without_secrets(one, f"{pointer}/{place}", "" if one == named else named, removed)
            for place, one in enumerate(value)
        ]
    if not isinstance(value, str) or not value:
        return value
    clean = REDACTED if _SECRET.search(name) else target_without_secrets(value)
    if clean != value:
        removed.append(pointer)
    return clean
