# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a gate says."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec

from proxy.rollout.evidence import Evidence
from proxy.rollout.policy import Policy


class Outcome(StrEnum):
    """A gate's word. Absence of evidence is never a pass."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Verdict(msgspec.Struct, frozen=True):
    """One gate on one group.

    `value` is what was measured, between `low` and `high` where that is known, `threshold` what it is held against; all
    in `unit`. `hard`: what fails goes back to 0 at once.
    """

    gate: str
    outcome: Outcome
    reason: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    threshold: float | None = None
    unit: str = ""
    group: str = ""
    hard: bool = False


class Gate(Protocol):
    """A question to the evidence."""

    @property
    def name(self) -> str:
        """Stable: a metric label."""

    def judge(self, evidence: Evidence, policy: Policy) -> Verdict:
        """The answer. Pure."""


def overall(verdicts: tuple[Verdict, ...]) -> Outcome:
    """All together: one that fails fails all, one that does not know holds all."""
    outcomes = {verdict.outcome for verdict in verdicts}
    if Outcome.FAIL in outcomes:
        return Outcome.FAIL
    return Outcome.INCONCLUSIVE if Outcome.INCONCLUSIVE in outcomes or not outcomes else Outcome.PASS
