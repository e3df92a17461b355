# SPDX-License-Identifier: AGPL-3.0-or-later
"""The judgement: which findings are open, which approved, what is missing, and what it comes to. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

import msgspec

from contracts.report.coverage import Recorded, missing_of
from proxy.experiment.evidence import RANK, Approval, Dimension, Endpoint, Evidence, Found, Lost
from proxy.experiment.outcome import Outcome, Severity, Why


class Verdict(StrEnum):
    """What a report comes to."""

    CLEAN = "clean"
    FINDINGS = "findings"
    NOTHING_COMPARED = "nothing_compared"
    """Nothing was compared, or nothing of it was comparable: that is not success."""


class Judged(msgspec.Struct, frozen=True):
    """A finding with the approval that holds for it, if one does, and what is known of its field besides."""

    found: Found
    approval: Approval | None = None
    explanation: str = ""


class RouteReport(msgspec.Struct, frozen=True):
    """One endpoint. `missing`: recorded and not compared yet."""

    endpoint: Endpoint
    open: tuple[Judged, ...] = ()
    approved: tuple[Judged, ...] = ()
    missing: dict[Dimension, tuple[str, ...]] = {}

    @property
    def route(self) -> str:
        """Its name."""
        return self.endpoint.route

    @property
    def compared(self) -> int:
        """Pairs about which something can be said."""
        return self.endpoint.comparisons - self.endpoint.outcomes[Outcome.NOT_COMPARABLE]

    @property
    def same(self) -> int:
        """Pairs that are the same in meaning."""
        outcomes = self.endpoint.outcomes
        return outcomes[Outcome.MATCH] + outcomes[Outcome.MATCH_AFTER_NORMALIZING]


class Report(msgspec.Struct, frozen=True):
    """Everything a presentation shows. Routes: those with open findings first, the most serious first."""

    title: str
    made_at: float
    scope: str
    fail_on: Severity
    routes: tuple[RouteReport, ...] = ()
    never_compared: tuple[str, ...] = ()
    lost: tuple[Lost, ...] = ()
    unread: int = 0

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """How often each outcome, over all routes."""
        total = dict.fromkeys(Outcome, 0)
        for route in self.routes:
            for outcome, times in route.endpoint.outcomes.items():
                total[outcome] += times
        return total

    @property
    def reasons(self) -> dict[Why, int]:
        """How often each reason not to compare, the most frequent first."""
        total: dict[Why, int] = {}
        for route in self.routes:
            for why, times in route.endpoint.reasons.items():
                total[why] = total.get(why, 0) + times
        return dict(sorted(total.items(), key=lambda item: -item[1]))

    @property
    def comparisons(self) -> int:
        """How many pairs came to an outcome, whichever."""
        return sum(route.endpoint.comparisons for route in self.routes)

    @property
    def compared(self) -> int:
        """Pairs about which something can be said."""
        return sum(route.compared for route in self.routes)

    @property
    def same(self) -> int:
        """Pairs that are the same in meaning."""
        return sum(route.same for route in self.routes)

    @property
    def open(self) -> tuple[Judged, ...]:
        """The findings that nobody approved."""
        return tuple(judged for route in self.routes for judged in route.open)

    @property
    def failing(self) -> tuple[Judged, ...]:
        """The open findings that are serious enough to fail."""
        return tuple(one for one in self.open if RANK[one.found.severity] <= RANK[self.fail_on])

    @property
    def verdict(self) -> Verdict:
        """What it comes to."""
        if self.failing:
            return Verdict.FINDINGS
        return Verdict.CLEAN if self.compared else Verdict.NOTHING_COMPARED


def judge(
    evidence: Evidence,
    *,
    now: float,
    title: str = "Contract report",
    scope: str = "",
    fail_on: Severity = Severity.ERR,
    approvals: Iterable[Approval] = (),
    recorded: Recorded | None = None,
    explain: Callable[[Found], str] = lambda _: "",
) -> Report:
    """A report on the evidence. `approvals` are added to the evidence's own; `scope` says in words what the evidence
    was narrowed to; `recorded` is what should be covered; `explain` says what is known of a finding's field besides."""
    holding = {
        approval.fingerprint: approval
        for approval in (*evidence.approvals, *approvals)
        if approval.holds(now)
    }
    recorded = recorded or {}
    routes = [_route(endpoint, holding, recorded, explain) for endpoint in evidence.endpoints]
    seen = {endpoint.route for endpoint in evidence.endpoints if endpoint.comparisons}
    return Report(
        title,
        now,
        scope,
        fail_on,
        tuple(sorted(routes, key=_order)),
        tuple(sorted(recorded.keys() - seen)),
        evidence.lost,
        evidence.unread,
    )


def _route(
    endpoint: Endpoint, approvals: dict[str, Approval], recorded: Recorded, explain: Callable[[Found], str]
) -> RouteReport:
    judged = [Judged(one, approvals.get(one.fingerprint), explain(one)) for one in endpoint.findings]
    return RouteReport(
        endpoint,
        tuple(one for one in judged if one.approval is None),
        tuple(one for one in judged if one.approval is not None),
        missing_of(endpoint, recorded),
    )


def _order(route: RouteReport) -> tuple[int, int, str]:
    worst = min((RANK[one.found.severity] for one in route.open), default=len(RANK))
    return worst, -len(route.open), route.route
