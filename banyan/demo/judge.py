# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether an answer is what the recording says. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from contracts.compare import APART_COOKIES, Answer, differences
from contracts.corpus import Read

EDGE_COOKIE: Final = "banyan_bucket"
"""The edge's own cookie, set on the first answer of who has none: not the application's, so never compared."""

_APART: Final = APART_COOKIES | {EDGE_COOKIE}
_OWN_MEMBERS: Final = {"error", "message", "request_id"}


class Kind(StrEnum):
    """What an answer is."""

    SAME = "same"
    """It says what the recording says."""
    DIFFERS = "differs"
    """It differs in meaning: a mismatch."""
    EDGE_ERROR = "edge error"
    """The edge answered by itself, or there was no whole answer."""


class Verdict(msgspec.Struct, frozen=True):
    """`detail` tells what is wrong; empty where nothing is."""

    kind: Kind
    detail: str = ""


SAME: Final = Verdict(Kind.SAME)


def judge(case: Read, answer: Answer) -> Verdict:
    """The verdict on an answer to a recorded case."""
    if (own := edge_error(answer)) is not None:
        return Verdict(Kind.EDGE_ERROR, own)
    found = differences(case, answer, _APART)
    if not found:
        return SAME
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return Verdict(Kind.DIFFERS, f"{found[0]}{more}")


def edge_error(answer: Answer) -> str | None:
    """Code and message when the edge made this answer itself (400, 502, 503, 504 …), else None."""
    if answer.status < 400 or not answer.body.startswith(b"{"):
        return None
    try:
        told = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return None
    if not isinstance(told, dict) or told.keys() != _OWN_MEMBERS:
        return None
    return f"{answer.status} {told['error']}: {told['message']}"
