# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the diff store knows, as gates ask for it: one group, one build, approvals honoured."""

from __future__ import annotations

from proxy.app.comparing import comparisons_of
from proxy.experiment.evidence import Approval, Batch, Count, Evidence, Found, Series, Sighting
from proxy.experiment.outcome import Kind, Outcome, Severity, Why


def count(outcome: Outcome, times: int, *, group: str = "g", build: str = "b1", role: str = "user") -> Count:
    why = Why.RACED if outcome is Outcome.NOT_COMPARABLE else None
    return Count(Series("r", group, "legacy", build, role, outcome, why), 0, times)


def found(name: str, severity: Severity = Severity.ERR, *, build: str = "b1") -> Found:
    return Found(name, "r", "g", "/a", Kind.VALUE, severity, 0, 0, (Sighting(build, 0, 1),))


def test_outcomes_findings_and_roles_of_one_group_and_build() -> None:
    batch = Batch(
        "1",
        (
            count(Outcome.MATCH, 90),
            count(Outcome.MATCH_AFTER_NORMALIZING, 5),
            count(Outcome.MISMATCH, 3),
            count(Outcome.ERROR_ONE_SIDE, 2),
            count(Outcome.NOT_COMPARABLE, 7, role="guest"),
            count(Outcome.MISMATCH, 1_000, build="b0"),
            count(Outcome.MISMATCH, 1_000, group="other"),
        ),
        (found("open"), found("approved"), found("mild", Severity.WARN), found("old", build="b0")),
    )
    approval = Approval("approved", "kim", "meant", 0, until=100)
    evidence = Evidence.of(batch, [approval])
    told = comparisons_of(evidence, "g", "b1", 50)
    assert (told.compared, told.differing, told.not_comparable, told.open_errors) == (98, 3, 7, 1)
    assert told.coverage["role"].seen == ("guest", "user")
    assert told.coverage["role"].compared == ("user",)
    assert comparisons_of(evidence, "g", "b1", 200).open_errors == 2, "the approval has ended"
