# SPDX-License-Identifier: AGPL-3.0-or-later
"""An actual answer, and the facts of its headers and cookies in the form of a recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from contracts.corpus import Cookie, Response

SELECTED_HEADERS = frozenset(
    (
        "cache-control",
        "content-disposition",
        "content-type",
        "location",
        "referrer-policy",
        "www-authenticate",
        "x-frame-options",
    )
)
"""The headers that the recorder kept, cookies apart."""

APART_COOKIES = frozenset(("_loomio", "csrftoken", "signed_in"))
"""Rails sends these again with nearly every answer; another implementation sends only what it changed."""


class Answer(msgspec.Struct, frozen=True):
    """What a server answered: header lines in order, and the body without transfer framing or compression."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes = b""


def recorded_headers(response: Response, apart: frozenset[str]) -> dict[str, Any]:
    """The facts of a recorded answer's headers."""
    facts: dict[str, Any] = {name: _value(name, value) for name, value in response.plain_headers.items()}
    return _with_cookies(facts, response.cookies, apart)


def actual_headers(answer: Answer, recorded: Iterable[str], apart: frozenset[str]) -> dict[str, Any]:
    """The facts of an answer's headers: the selection, and what else was recorded."""
    wanted = SELECTED_HEADERS.union(recorded) - {"set-cookie"}
    facts: dict[str, Any] = {}
    cookies = []
    for sent_name, value in answer.headers:
        name = sent_name.lower()
        if name == "set-cookie":
            cookies.append(cookie_of(value))
        elif name in wanted:
            facts[name] = f"{facts[name]}, {value}" if name in facts else _value(name, value)
    return _with_cookies(facts, cookies, apart)


def cookie_of(line: str) -> Cookie:
    """Name and attributes of a `Set-Cookie` header."""
    pair, *attributes = line.split(";")
    name, _, content = pair.strip().partition("=")
    told: Mapping[str, str] = {
        key.strip().lower(): value.strip()
        for key, _, value in (attribute.partition("=") for attribute in attributes)
    }
    return Cookie(
        name=name,
        path=told.get("path", ""),
        httponly="httponly" in told,
        secure="secure" in told,
        samesite=told.get("samesite", ""),
        expires="expires" in told or "max-age" in told,
        deleted=not content and (told.get("max-age") == "0" or "1970" in told.get("expires", "")),
    )


def _with_cookies(facts: dict[str, Any], cookies: Iterable[Cookie], apart: frozenset[str]) -> dict[str, Any]:
    kept = {cookie.name: msgspec.to_builtins(cookie) for cookie in cookies if cookie.name not in apart}
    return {**facts, "set-cookie": kept} if kept else facts


def _value(name: str, value: str) -> str:
    # Media types and charsets have no case, and white space there means nothing.
    return value.lower().replace(" ", "") if name == "content-type" else value
