# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a corpus shows of each endpoint, to tell what the comparisons have not seen yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from contracts.corpus import ANONYMOUS, Read
from proxy.experiment.evidence import Dimension, Endpoint
from proxy.experiment.tally import query_names

Recorded = Mapping[str, Mapping[Dimension, frozenset[str]]]
"""Route → dimension → values. Of queries the single names, not the sets."""


def recorded_coverage(cases: Iterable[Read]) -> Recorded:
    """The methods, query keys, statuses and roles that were recorded of each endpoint."""
    found: dict[str, dict[Dimension, set[str]]] = {}
    for case in cases:
        of_route = found.setdefault(case.endpoint, {dimension: set() for dimension in Dimension})
        names = keys_of([query_names(case.request.path)])
        of_route[Dimension.METHOD].add(case.request.method)
        of_route[Dimension.STATUS].add(str(case.response.status))
        of_route[Dimension.QUERY] |= names
        # Who holds a token or a key is known by it, not by a session; recordings do not tell which counted.
        if not any("token" in name or "key" in name for name in names):
            of_route[Dimension.ROLE].add("anonymous" if case.actor == ANONYMOUS else "signed_in")
    return {
        route: {dimension: frozenset(values) for dimension, values in dimensions.items()}
        for route, dimensions in found.items()
    }


def missing_of(endpoint: Endpoint, recorded: Recorded) -> dict[Dimension, tuple[str, ...]]:
    """What was recorded of an endpoint and not compared, by dimension; empty where nothing is missing."""
    known = recorded.get(endpoint.route, {})
    missing: dict[Dimension, tuple[str, ...]] = {}
    for dimension, values in known.items():
        seen = set(endpoint.seen(dimension))
        if left := values - (keys_of(seen) if dimension is Dimension.QUERY else seen):
            missing[dimension] = tuple(sorted(left))
    return missing


def keys_of(sets: Iterable[str]) -> set[str]:
    """The single names in sets of query names."""
    return {name for names in sets for name in names.split("&") if name}
