# SPDX-License-Identifier: AGPL-3.0-or-later
"""What makes two requests the same.

Nothing else counts: not the host, not what proxies add, not cookies that name nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from contracts.playback.http1 import Asked
from contracts.playback.identity import User

SAFE_METHODS = frozenset(("GET", "HEAD"))
"""The methods that Rails does not guard against forgery, among those that were recorded."""


class Key(NamedTuple):
    """What a recorded read depends on. Headers that were not sent are empty."""

    user: User
    method: str
    target: str
    accept: str
    accept_language: str
    authorization: str


class Variant(NamedTuple):
    """What a raw exchange depends on besides its key.

    `forgery_token_holds` tells whether the `X-CSRF-TOKEN` header equals the `csrftoken` cookie (both missing
    are equal, as in the application); None where it is not asked for.
    """

    gzip: bool
    if_none_match: str
    forgery_token_holds: bool | None
    body: bytes


def key_of(asked: Asked, user: User) -> Key:
    """The key of a request of `user`."""
    headers = asked.headers
    return Key(
        user,
        asked.method,
        asked.target,
        headers.get("accept", ""),
        headers.get("accept-language", ""),
        headers.get("authorization", ""),
    )


def variant_of(asked: Asked, cookies: Mapping[str, str]) -> Variant:
    """The variant of a request with these cookies."""
    headers = asked.headers
    guarded = asked.method not in SAFE_METHODS
    holds = headers.get("x-csrf-token") == cookies.get("csrftoken") if guarded else None
    return Variant(
        _accepts_gzip(headers.get("accept-encoding", "")), headers.get("if-none-match", ""), holds, asked.body
    )


def _accepts_gzip(header: str) -> bool:
    """Whether Rack would compress; nothing else in the header makes a difference to it."""
    for coding in header.lower().split(","):
        name, _, weight = coding.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "").rstrip("0.") != "q="
    return False
