# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a header means to the edge, by its name."""

from __future__ import annotations

import re
from typing import Final

from proxy.model import Malformed

TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")

# Belongs to one connection (RFC 9110 §7.6.1): never forwarded.
HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    }
)
# `Connection` may not nominate these: dropping them would change what the request means or who sent it.
NEVER_NOMINATED: Final = frozenset(
    {
        b"host",
        b"content-length",
        b"content-type",
        b"content-encoding",
        b"cookie",
        b"set-cookie",
        b"authorization",
        b"forwarded",
        b"via",
        b"x-request-id",
        b"cache-control",
        b"close",
        b"keep-alive",
    }
)
# Their values hardly come twice, so there is no use in knowing the line again.
CHANGING: Final = frozenset(
    {
        b"date",
        b"etag",
        b"if-modified-since",
        b"if-none-match",
        b"last-modified",
        b"location",
        b"referer",
        b"server-timing",
        b"set-cookie",
        b"traceparent",
        b"tracestate",
        b"x-csrf-token",
        b"x-request-id",
        b"x-runtime",
    }
)
# Read as if written with dashes by Rack: a client could speak for the edge through them.
SPOKEN_FOR: Final = (b"x-forwarded-", b"x-banyan-")
_SPOKEN_FOR_NAMES: Final = frozenset(
    {b"forwarded", b"client-ip", b"x-client-ip", b"x-real-ip", b"x-request-id"}
)

# Kinds of headers.
PLAIN: Final = 0
HOP: Final = 1
HOST: Final = 2
LENGTH: Final = 3
COOKIE: Final = 4
FORWARDING: Final = 5
DROP: Final = 6

_NAMES_KEPT: Final = 4096


class Names(dict[bytes, tuple[bytes, int]]):
    """Raw header name → (lower-case name, kind). Names repeat from request to request, so each is judged once.

    Bounded: a client that invents names fills the table, later ones are judged each time.
    """

    def __missing__(self, name: bytes) -> tuple[bytes, int]:
        if not TOKEN.match(name):
            raise Malformed("header-name", "a header's name is empty or has a character that is not allowed")
        lower = name.lower()
        judged = (lower, _kind_of(lower))
        if len(self) < _NAMES_KEPT:
            self[name] = judged
        return judged


def _kind_of(lower: bytes) -> int:
    if lower in HOP_BY_HOP:
        return HOP
    if lower == b"host":
        return HOST
    if lower == b"content-length":
        return LENGTH
    if lower == b"cookie":
        return COOKIE
    dashed = lower.replace(b"_", b"-")
    if lower == b"x-banyan-shadow":
        return FORWARDING
    if dashed.startswith(b"x-banyan-"):
        return DROP
    if dashed.startswith(SPOKEN_FOR) or dashed in _SPOKEN_FOR_NAMES:
        return FORWARDING if dashed == lower else DROP
    if dashed != lower and (dashed in HOP_BY_HOP or dashed in NEVER_NOMINATED):
        return DROP
    return PLAIN
