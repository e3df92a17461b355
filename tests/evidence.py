# SPDX-License-Identifier: AGPL-3.0-or-later
"""Evidence made for tests: pairs, comparisons and what they add up to."""

from __future__ import annotations

from typing import Any

import msgspec

from proxy.experiment.evidence import Batch
from proxy.experiment.observation import Asked, Observation, Pair
from proxy.experiment.outcome import Comparison, Difference, Finding, Kind, Outcome, Severity
from proxy.experiment.tally import Tally

NOON = 1_790_000_000.0 // 3600 * 3600
"""A full hour."""

MATCH = Comparison(Outcome.MATCH)


def a_pair(route: str = "tags#index", target: str = "/api/v1/tags?group_id=1", **changes: Any) -> Pair:
    """One question, answered by both sides."""
    asked = Asked(
        changes.pop("method", "GET"), target, changes.pop("headers", ()), changes.pop("role", "signed_in")
    )
    build = changes.pop("build", "b1")
    pair = Pair(
        request_id="r1",
        route=route,
        group="tags-reads",
        generation=3,
        at=NOON,
        asked=asked,
        control=Observation("legacy", 200),
        candidate=Observation("python", 200, build=build),
        served="legacy",
    )
    return msgspec.structs.replace(pair, **changes)


def a_finding(
    field: str = "/body/tags/*/name", control: Any = "a", candidate: Any = "b", **changes: Any
) -> Finding:
    """A difference that counts. Its fingerprint is as good as its field."""
    kind = changes.pop("kind", Kind.VALUE)
    difference = Difference(field.replace("*", "0"), kind, control, candidate)
    fingerprint = changes.pop("fingerprint", f"f-{field}-{kind}")
    return Finding(fingerprint, field, difference, changes.pop("severity", Severity.ERR))


def mismatch(*findings: Finding) -> Comparison:
    """A pair that differs in so many ways."""
    return Comparison(Outcome.MISMATCH, findings=findings or (a_finding(),))


def tallied(*added: tuple[Pair, Comparison]) -> Batch:
    """What pairs and comparisons add up to."""
    tally = Tally()
    for pair, comparison in added:
        tally.add(pair, comparison)
    return tally.take()
