# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pairs made of two answers."""

from __future__ import annotations

import json
from typing import Any

from proxy.experiment.observation import Asked, Failure, Headers, Observation, Pair
from proxy.experiment.outcome import Comparison, Kind

JSON: Headers = (("Content-Type", "application/json; charset=utf-8"),)


def answer(
    body: Any = b"", status: int = 200, headers: Headers = JSON, failure: Failure | None = None
) -> Observation:
    """An answer; a body that is not bytes is written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Observation("side", status, headers, content, failure=failure)


def pair(
    control: Observation, candidate: Observation, route: str = "polls#show", raced: bool = False
) -> Pair:
    """One question and these answers."""
    asked = Asked("GET", "/api/v1/polls/1")
    return Pair("r1", route, "polls", 1, 0.0, asked, control, candidate, raced=raced)


def places(comparison: Comparison) -> list[tuple[str, Kind]]:
    """Pointer and kind of each finding."""
    return [(one.difference.pointer, one.difference.kind) for one in comparison.findings]
