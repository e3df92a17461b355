# SPDX-License-Identifier: AGPL-3.0-or-later
"""Headers by a declared list, and cookies by name and attributes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from proxy.experiment.diff.place import place_of
from proxy.experiment.diff.walk import Fact, walk
from proxy.experiment.outcome import Kind

COMPARED_HEADERS = frozenset(
    (
        "access-control-allow-credentials",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
        "allow",
        "cache-control",
        "content-disposition",
        "content-language",
        "content-range",
        "content-security-policy",
        "content-type",
        "link",
        "location",
        "referrer-policy",
        "retry-after",
        "www-authenticate",
        "x-frame-options",
    )
)
"""What a client acts upon. Not here: `etag` (a digest of bytes; the body is compared by meaning), `date`, `server` and
`x-…` ids and timings (of the server, not of the answer), lengths and codings (of the transfer)."""

APART_COOKIES = frozenset(("_loomio", "csrftoken", "signed_in"))
"""Rails sends these again with nearly every answer, another implementation when they change: that one side sent them
and the other did not says nothing, unless it was to delete them. Where both did, their attributes are compared."""

_DIRECTIVES = frozenset(("cache-control", "allow"))


def header_value(name: str, value: str) -> str:
    """A value without what has no meaning: media types have no case, directives no order."""
    if name == "content-type":
        return value.lower().replace(" ", "")
    if name in _DIRECTIVES:
        return ", ".join(sorted(part.strip().lower() for part in value.split(",") if part.strip()))
    return value.strip()


def header_facts(
    control: Iterable[tuple[str, str]],
    candidate: Iterable[tuple[str, str]],
    compared: frozenset[str] = COMPARED_HEADERS,
) -> list[Fact]:
    """Differences at `/headers/NAME`; lines of one name are joined."""
    return walk(_selected(control, compared), _selected(candidate, compared), place_of("headers"))


def cookie_facts(control: Iterable[tuple[str, str]], candidate: Iterable[tuple[str, str]]) -> list[Fact]:
    """Differences at `/cookies/NAME` and `/cookies/NAME/ATTRIBUTE`. Values are not compared: they are sealed."""
    facts = walk(_cookies(control), _cookies(candidate), place_of("cookies"))
    return [fact for fact in facts if not _is_resent(fact)]


def cookie(line: str) -> tuple[str, dict[str, Any]]:
    """Name and attributes of a `Set-Cookie` line."""
    pair, *attributes = line.split(";")
    name, _, content = pair.strip().partition("=")
    told = {
        key.strip().lower(): value.strip()
        for key, _, value in (attribute.partition("=") for attribute in attributes)
    }
    return name, {
        "path": told.get("path", ""),
        "domain": told.get("domain", "").lower(),
        "httponly": "httponly" in told,
        "secure": "secure" in told,
        "samesite": told.get("samesite", "").lower(),
        "expires": "expires" in told or "max-age" in told,
        "deleted": not content and (told.get("max-age") == "0" or "1970" in told.get("expires", "")),
    }


def _selected(lines: Iterable[tuple[str, str]], compared: frozenset[str]) -> dict[str, str]:
    facts: dict[str, str] = {}
    for sent_name, value in lines:
        name = sent_name.lower()
        if name in compared:
            facts[name] = header_value(name, f"{facts[name]}, {value}" if name in facts else value)
    return facts


def _cookies(lines: Iterable[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    return dict(cookie(value) for name, value in lines if name.lower() == "set-cookie")


def _is_resent(fact: Fact) -> bool:
    """Whether a fact only says that one side sent a cookie again."""
    if (
        fact.place is None
        or fact.place[1] not in APART_COOKIES
        or fact.kind not in (Kind.MISSING, Kind.EXTRA)
    ):
        return False
    told = fact.control if fact.kind is Kind.MISSING else fact.candidate
    return not told["deleted"]
