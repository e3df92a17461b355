# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the evidence says, for people and for machines.

    Evidence (facts) → judge(approvals, recorded coverage, now) → Report (judgement) → render(Format) (presentation)

A report is the same whether its evidence comes from the store, from a replay, or from one test. A *finding* is open
until somebody approves its fingerprint; approvals carry across runs and may end. `verdict` is one of three: open
findings, none, or nothing compared, which is never success.

Every presentation shows the same things: outcomes, open findings with samples and the request to repeat, approved
findings, why pairs were not comparable, coverage seen and missing, noise, and what was lost on the way.
"""

from contracts.report.approvals import ApprovalsError, read_approvals
from contracts.report.coverage import Recorded, recorded_coverage
from contracts.report.model import Judged, Report, RouteReport, Verdict, judge
from contracts.report.render import Format, render

__all__ = [
    "ApprovalsError",
    "Format",
    "Judged",
    "Recorded",
    "Report",
    "RouteReport",
    "Verdict",
    "judge",
    "read_approvals",
    "recorded_coverage",
    "render",
]
