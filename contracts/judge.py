# SPDX-License-Identifier: AGPL-3.0-or-later
"""From what differs to what an experiment keeps: recordings as the control, an answer as the candidate. Pure.

Recordings are judged by their own rules (`contracts.compare`), shadowed requests by the experiment's. From here on both
are the same: a `Pair` and its `Comparison` go into a `Tally`, and out comes one kind of evidence and one report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

import msgspec

from contracts.client import ConnectionFailedError
from contracts.compare import Answer
from contracts.corpus import ANONYMOUS, Response
from proxy.experiment.compare import fingerprint
from proxy.experiment.observation import Asked, Failure, Observation
from proxy.experiment.outcome import Comparison, Difference, Finding, Kind, Outcome, Why

RECORDED = "recorded"
"""Name of the side that a recording is."""

CANDIDATE = "candidate"

_PLACE = re.compile(r"/(?:\d+|-)(?=/|$)")
_FAILURES = {
    "refused": Failure.UNREACHABLE,
    "reset": Failure.RESET,
    "timeout": Failure.TIMEOUT,
    "malformed": Failure.MALFORMED,
}
_KEYS = frozenset(("authorization", "x-api-key"))


def moved(found: Iterable[Difference], to: str) -> list[Difference]:
    """Differences from a recorded answer, their pointers told from `to` on."""
    return [msgspec.structs.replace(one, pointer=to + one.pointer.removeprefix("/response")) for one in found]


def verdict(route: str, differences: Iterable[Difference], *, error: bool = False) -> Comparison:
    """What these differences come to: those of one field and kind are one finding.

    `error` says that one side failed altogether.
    """
    found: dict[tuple[str, Kind], tuple[Difference, int]] = {}
    for difference in differences:
        key = (field_of(difference.pointer), difference.kind)
        first, places = found.get(key, (difference, 0))
        found[key] = (first, places + 1)
    findings = tuple(
        Finding(fingerprint(route, field, kind), field, first, places=places)
        for (field, kind), (first, places) in found.items()
    )
    if not findings:
        return Comparison(Outcome.MATCH)
    return Comparison(Outcome.ERROR_ONE_SIDE if error else Outcome.MISMATCH, findings=findings)


def failed(route: str, recorded: int, failure: Failure) -> Comparison:
    """What it comes to when no whole answer came. Silence is no difference: a timeout cannot be compared."""
    if failure is Failure.TIMEOUT:
        return Comparison(Outcome.NOT_COMPARABLE, Why.TIMEOUT)
    return verdict(route, [Difference("/status", Kind.STATUS, recorded, str(failure))], error=True)


def is_server_error(recorded: int, status: int) -> bool:
    """Whether a server failed where the recorded one did not."""
    return status >= 500 and recorded < 500


def field_of(pointer: str) -> str:
    """A pointer with every place in a list as `*`."""
    return _PLACE.sub("/*", pointer)


def role_of(actor: str, target: str, headers: Mapping[str, str]) -> str:
    """How the sender of a recorded request is known."""
    if not _KEYS.isdisjoint(name.lower() for name in headers):
        return "api_key"
    names = [name for name, _ in parse_qsl(urlsplit(target).query, keep_blank_values=True)]
    if any(name.endswith("api_key") for name in names):
        return "api_key"
    if actor != ANONYMOUS:
        return "signed_in"
    return "guest_token" if any(name.endswith("_token") for name in names) else "anonymous"


def asked(actor: str, method: str, target: str, headers: Sequence[tuple[str, str]]) -> Asked:
    """A request as it was sent."""
    return Asked(method, target, tuple(headers), role_of(actor, target, dict(headers)))


def recorded(response: Response) -> Observation:
    """The recording as the answer of a side; the body is in the notation of recordings."""
    return Observation(RECORDED, response.status, tuple(response.plain_headers.items()), bytes(response.body))


def observed(answer: Answer, seconds: float) -> Observation:
    """An answer that came."""
    build = next((value for name, value in answer.headers if name.lower() == "x-banyan-build"), "")
    return Observation(CANDIDATE, answer.status, tuple(answer.headers), answer.body, seconds, build=build)


def unanswered(error: ConnectionFailedError) -> Observation:
    """An answer that did not come."""
    return Observation(CANDIDATE, failure=_FAILURES[error.code])
