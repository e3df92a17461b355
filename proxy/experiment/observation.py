# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was asked and what each side answered. Immutable, pure; times are seconds."""

from __future__ import annotations

from enum import StrEnum

import msgspec

Headers = tuple[tuple[str, str], ...]
"""Header lines in the order they came; names as sent."""


class Failure(StrEnum):
    """Why there is no complete answer to compare."""

    UNREACHABLE = "unreachable"
    RESET = "reset"
    MALFORMED = "malformed"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    CANCELLED = "cancelled"
    ENCODING = "encoding"
    """Its body could not be inflated, or not within the bound."""


class Asked(msgspec.Struct, frozen=True):
    """A request as it was sent. `target` is path and query, raw. `role` is how the sender is known: `signed_in`,
    `anonymous`, `guest_token` or `api_key`."""

    method: str
    target: str
    headers: Headers = ()
    role: str = "anonymous"


class Observation(msgspec.Struct, frozen=True):
    """What one side answered: the body without transfer framing and compression. With a `failure`, what came until
    then. `side` is the backend's name, `build` which build of it answered, where it says so (X-Banyan-Build)."""

    side: str
    status: int = 0
    headers: Headers = ()
    body: bytes = b""
    seconds: float = 0.0
    failure: Failure | None = None
    build: str = ""


class Pair(msgspec.Struct, frozen=True):
    """One question and both answers. `at` is when it was asked (seconds since 1970), `served` the side whose answer the
    user got (empty where there was no user), `raced` whether a write may have come between the two."""

    request_id: str
    route: str
    group: str
    generation: int
    at: float
    asked: Asked
    control: Observation
    candidate: Observation
    served: str = ""
    raced: bool = False
