# SPDX-License-Identifier: AGPL-3.0-or-later
"""The report as JSON: all of it, uncut. Fields are only ever added."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from contracts.report.curl import repeat
from contracts.report.model import Judged, Report, RouteReport
from proxy.experiment.evidence import Dimension, Lost


def render(report: Report) -> str:
    """One JSON document, ASCII, with a line end."""
    return json.dumps(document(report), indent=2, default=str) + "\n"


def document(report: Report) -> dict[str, Any]:
    """The report as dictionaries, lists and plain values."""
    return {
        "title": report.title,
        "made_at": report.made_at,
        "scope": report.scope,
        "verdict": report.verdict,
        "fail_on": report.fail_on,
        "comparisons": report.comparisons,
        "compared": report.compared,
        "outcomes": report.outcomes,
        "not_comparable": report.reasons,
        "open": len(report.open),
        "failing": len(report.failing),
        "approved": sum(len(route.approved) for route in report.routes),
        "unread": report.unread,
        "lost": [_lost(one) for one in report.lost],
        "never_compared": list(report.never_compared),
        "routes": [_route(route) for route in report.routes],
    }


def _route(route: RouteReport) -> dict[str, Any]:
    endpoint = route.endpoint
    return {
        "route": route.route,
        "groups": list(endpoint.groups),
        "comparisons": endpoint.comparisons,
        "outcomes": endpoint.outcomes,
        "not_comparable": endpoint.reasons,
        "findings": [_judged(one) for one in (*route.open, *route.approved)],
        "coverage": {dimension: endpoint.seen(dimension) for dimension in Dimension},
        "missing": {dimension: list(values) for dimension, values in route.missing.items()},
        "noise": [msgspec.structs.asdict(one) for one in endpoint.noise],
        "lost": [_lost(one) for one in endpoint.lost],
    }


def _judged(judged: Judged) -> dict[str, Any]:
    found = judged.found
    return {
        "fingerprint": found.fingerprint,
        "field": found.field,
        "kind": found.kind,
        "severity": found.severity,
        "group": found.group,
        "times": found.times,
        "first_seen": found.first_seen,
        "last_seen": found.last_seen,
        "builds": sorted({one.build for one in found.sightings if one.build}),
        "explanation": judged.explanation,
        "approval": None if judged.approval is None else msgspec.structs.asdict(judged.approval),
        "samples": [{**msgspec.structs.asdict(one), "curl": repeat(one)} for one in found.samples],
    }


def _lost(one: Lost) -> dict[str, Any]:
    return msgspec.structs.asdict(one)
