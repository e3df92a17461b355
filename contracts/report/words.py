# SPDX-License-Identifier: AGPL-3.0-or-later
"""The words that all presentations share."""

from __future__ import annotations

from datetime import UTC, datetime

from contracts.report.model import Judged, Report, Verdict
from proxy.experiment.evidence import Dimension, Loss, Lost
from proxy.experiment.outcome import Kind, Outcome, Severity, Why

OUTCOMES = {
    Outcome.MATCH: "same",
    Outcome.MATCH_AFTER_NORMALIZING: "same by the rules",
    Outcome.MISMATCH: "different",
    Outcome.ERROR_ONE_SIDE: "one side failed",
    Outcome.NOT_COMPARABLE: "not comparable",
}

REASONS = {
    Why.RACED: "a write may have come between the two answers",
    Why.TOO_LARGE: "a body was larger than is kept",
    Why.TIMEOUT: "a side did not answer in time",
    Why.CANCELLED: "a request was cut off",
    Why.CONTENT_TYPE: "the bodies are of different kinds",
    Why.NOT_MODIFIED: "a side answered 304, without a body",
    Why.ENCODING: "a body could not be inflated",
    Why.UNREADABLE: "the bodies are not what their content type says",
    Why.ERROR_BOTH_SIDES: "both sides failed",
    Why.OVERFLOW: "a queue was full",
    Why.BUDGET: "the other side may not be asked more often",
}

KINDS = {
    Kind.STATUS: "another status",
    Kind.MISSING: "missing on the new side",
    Kind.EXTRA: "only on the new side",
    Kind.TYPE: "another type",
    Kind.VALUE: "another value",
    Kind.ORDER: "another order",
    Kind.TEXT: "another wording",
    Kind.BODY: "another kind of body",
}

DIMENSIONS = {
    Dimension.METHOD: "methods",
    Dimension.QUERY: "query keys",
    Dimension.STATUS: "statuses",
    Dimension.ROLE: "roles",
}

LOSSES = {
    Loss.COMPARISONS: "comparisons that were not counted: the store was away for too long",
    Loss.FINDINGS: "sightings of findings beyond those that are kept of a route",
    Loss.COVERAGE: "sets of query names that were not kept",
}


def moment(at: float) -> str:
    """A time of day for people, in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def number(count: int) -> str:
    """With separators."""
    return f"{count:,}"


def share(part: int, whole: int) -> str:
    """Percent, rounded so that neither 0 nor 100 is said of what is not all."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < part < whole:
        percent = min(max(percent, 0.01), 99.99)
    return f"{percent:.2f}".rstrip("0").rstrip(".") + " %"


def verdict(report: Report) -> str:
    """The verdict in a sentence."""
    worse = report.fail_on if report.fail_on is Severity.ERR else f"{report.fail_on} or worse"
    if report.verdict is Verdict.NOTHING_COMPARED:
        return "Nothing was compared: that is no success"
    if report.verdict is Verdict.FINDINGS:
        return f"{plural(len(report.failing), 'open finding')} ({worse})"
    others = f"; {plural(len(report.open), 'lesser one')}" if report.open else ""
    return f"No open finding ({worse}){others}"


def plural(count: int, thing: str) -> str:
    """`1 thing`, `2 things`."""
    return f"{number(count)} {thing}{'' if count == 1 else 's'}"


def approved(judged: Judged) -> str:
    """Who approved a finding, and why."""
    approval = judged.approval
    if approval is None:
        return ""
    until = "" if approval.until is None else f", until {moment(approval.until)}"
    return f"approved by {approval.by}{until}: {approval.reason}"


def lost(one: Lost) -> str:
    """What was not kept, in words."""
    return f"{number(one.times)} {LOSSES[one.what]} (last on {moment(one.last_seen)})"
