# SPDX-License-Identifier: AGPL-3.0-or-later
"""An actual answer, and the facts of its headers and cookies in the form of a recording."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from contracts.corpus import Cookie, Response
from proxy.experiment.diff import APART_COOKIES, cookie, header_value

__all__ = ["APART_COOKIES", "SELECTED_HEADERS", "Answer", "actual_headers", "recorded_headers"]

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

_ATTRIBUTES = frozenset(Cookie.__struct_fields__) - {"name"}


class Answer(msgspec.Struct, frozen=True):
    """What a server answered: header lines in order, and the body without transfer framing or compression."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes = b""


def recorded_headers(response: Response, apart: frozenset[str]) -> dict[str, Any]:
    """The facts of a recorded answer's headers."""
    facts: dict[str, Any] = {
        name: header_value(name, value) for name, value in response.plain_headers.items()
    }
    cookies = {one.name: _attributes(msgspec.to_builtins(one)) for one in response.cookies}
    return _with_cookies(facts, cookies, apart)


def actual_headers(answer: Answer, recorded: Iterable[str], apart: frozenset[str]) -> dict[str, Any]:
    """The facts of an answer's headers: the selection, and what else was recorded."""
    wanted = SELECTED_HEADERS.union(recorded) - {"set-cookie"}
    facts: dict[str, Any] = {}
    cookies: dict[str, Any] = {}
    for sent_name, value in answer.headers:
        name = sent_name.lower()
        if name == "set-cookie":
            key, attributes = cookie(value)
            cookies[key] = _attributes(attributes)
        elif name in wanted:
            facts[name] = header_value(name, f"{facts[name]}, {value}" if name in facts else value)
    return _with_cookies(facts, cookies, apart)


def _attributes(told: dict[str, Any]) -> dict[str, Any]:
    """What the recorder kept of a cookie."""
    kept = {name: told[name] for name in _ATTRIBUTES}
    return kept | {"samesite": kept["samesite"].lower()}


def _with_cookies(facts: dict[str, Any], cookies: dict[str, Any], apart: frozenset[str]) -> dict[str, Any]:
    kept = {name: attributes for name, attributes in cookies.items() if name not in apart}
    return {**facts, "set-cookie": kept} if kept else facts
