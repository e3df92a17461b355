# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a ramp came to: the part of the report, and why it is no success. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from banyan.demo.live import percent
from banyan.demo.ramp.account import Account, Answers
from banyan.demo.ramp.story import Step, Story

TOP_SECONDS: Final = 120.0
"""A ramp that takes longer is no demonstration."""

BACK_SECONDS: Final = 5.0
"""A way back that takes longer is too slow."""


class RampReport(msgspec.Struct, frozen=True):
    """What `--report` tells of a ramp. Times are seconds, None for what did not happen: of steps and `reached_100_s`
    since the start, `rollback_s` and `last_wrong_s` (when a user got the last wrong answer) since the fault began.
    `answers` tells of users `before`, `during` and `after` the time in which the fault could meet them."""

    unit: str
    steps: list[Step]
    reached_100_s: float | None
    fault_at_share: float | None
    rollback_s: float | None
    last_wrong_s: float | None
    answers: dict[str, Answers]
    dashboard: str
    story: list[str]


def ramp_report(unit: str, story: Story, account: Account, dashboard: str) -> RampReport:
    """Sum up."""
    failed, last = account.failed_at, account.last_wrong_at
    return RampReport(
        unit=unit,
        steps=story.steps,
        reached_100_s=_rounded(story.reached_s),
        fault_at_share=story.fault_share,
        rollback_s=_rounded(story.rollback_s),
        last_wrong_s=None if failed is None or last is None or last < failed else round(last - failed, 2),
        answers={"before": account.before, "during": account.during, "after": account.after},
        dashboard=dashboard,
        story=story.lines,
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def ramp_shortcomings(ramp: RampReport, taken_back: str, *, interrupted: bool) -> list[str]:
    """Why it failed; empty when it did not. Who ends it by hand is not held to what had no time to happen."""
    found = []
    before, after = ramp.answers["before"].wrong, ramp.answers["after"].wrong
    if before:
        found.append(f"{before:,} wrong answers before anything was spoiled")
    if after:
        found.append(f"{after:,} wrong answers after the way back")
    if taken_back:
        found.append(f"the ramp was taken back: {taken_back}")
    elif ramp.reached_100_s is None:
        if not interrupted:
            top = max((step.share for step in ramp.steps), default=0.0)
            found.append(f"the ramp came to {percent(top)} in {TOP_SECONDS:.0f} s")
    elif ramp.reached_100_s > TOP_SECONDS:
        found.append(f"the ramp took {ramp.reached_100_s:.0f} s, more than {TOP_SECONDS:.0f}")
    if ramp.rollback_s is not None and ramp.rollback_s > BACK_SECONDS:
        found.append(f"the way back took {ramp.rollback_s:.1f} s, more than {BACK_SECONDS:.0f}")
    if ramp.fault_at_share is not None and ramp.rollback_s is None and not interrupted:
        found.append("the new side failed, and nothing was taken back")
    return found


def ramp_summary(ramp: RampReport) -> list[str]:
    """For people: at most 80 columns."""
    reached = " ".join(f"{percent(step.share)} at {step.at_s:.0f} s," for step in ramp.steps).rstrip(",")
    lines = [f"{ramp.unit}: {reached or 'no step was taken'}"]
    if ramp.fault_at_share is not None:
        back = "not taken back" if ramp.rollback_s is None else f"taken back in {ramp.rollback_s:.1f} s"
        last = "" if ramp.last_wrong_s is None else f", last wrong answer after {ramp.last_wrong_s:.1f} s"
        lines.append(f"  fault at {percent(ramp.fault_at_share)}: {back}{last}")
    lines += [
        f"  users, {stage:6} {answers.all:>7,} answers, {answers.wrong:,} wrong"
        for stage, answers in ramp.answers.items()
    ]
    return lines
