# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a ramp's story, account and report make of what happened."""

from __future__ import annotations

import msgspec
import pytest

from banyan.demo.admin import Entry
from banyan.demo.ramp.account import Account, Answers
from banyan.demo.ramp.report import RampReport, ramp_report, ramp_shortcomings, ramp_summary
from banyan.demo.ramp.story import Step, Story
from banyan.demo.report import Report, as_json, summary

START = Entry(1000.0, "start", "demo", "a demo", 0, 0)
CLIMB = [
    START,
    Entry(1005.0, "advance", "gates", "all gates passed at 0 %", 0, 10),
    Entry(1011.0, "wait", "gates", "volume: too few", 10, 10),
    Entry(1020.5, "top", "gates", "all gates passed at 10 %", 10, 100),
]
FALL = Entry(1031.5, "fail", "gates", "burst: 40 failures", 100, 0)


def told(*more: Entry, fault_at: float | None = None) -> Story:
    """The climb, and what came after a fault."""
    story = Story(100)
    story.follow(CLIMB)
    if fault_at is not None:
        story.fault(fault_at, 100, 0.4)
    story.follow([*CLIMB, *more])
    return story


def account(*, before: int = 0, during: int = 0, after: int = 0) -> Account:
    """Ten answers of each stage, of which so many were wrong."""
    made = Account()
    made.before, made.during, made.after = Answers(10, before), Answers(10, during), Answers(10, after)
    return made


def report_of(story: Story, made: Account | None = None) -> RampReport:
    return ramp_report("reads", story, made or account(), "http://admin/dashboard/")


def shortcomings(story: Story, made: Account | None = None, *, interrupted: bool = False) -> list[str]:
    return ramp_shortcomings(report_of(story, made), story.taken_back, interrupted=interrupted)


def test_steps_and_times_are_the_journal_s() -> None:
    story = told(FALL, fault_at=1030.0)
    assert story.steps == [Step(10, 5.0), Step(100, 20.5)]
    assert (story.reached_s, story.fault_share, story.rollback_s) == (20.5, 100, 1.5)
    assert story.lines == [
        "0:00  start at 0 %: a demo",
        "0:05  0 % → 10 %: all gates passed at 0 %",
        "0:11  wait at 10 %: volume: too few",
        "0:20  10 % → 100 %: all gates passed at 10 %",
        "0:30  at 100 % the new side begins to fail: 40% of its answers are 500",
        "0:31  100 % → 0 % by gates: burst: 40 failures",
        "0:31  back on the old side 1.5 s after the fault began",
    ]


def test_nothing_is_told_twice() -> None:
    story = told(FALL, fault_at=1030.0)
    lines = list(story.lines)
    story.follow([*CLIMB, FALL])
    assert story.lines == lines


def test_only_a_share_of_0_is_the_way_back() -> None:
    half = Entry(1031.0, "fail", "gates", "errors", 100, 50)
    assert told(half, fault_at=1030.0).back_at is None
    rest = Entry(1033.0, "fail", "gates", "burst", 50, 0)
    assert told(half, rest, fault_at=1030.0).rollback_s == 3.0


@pytest.mark.parametrize("entry", [FALL, Entry(1002.0, "fail", "gates", "burst: 40 failures", 0, 0)])
def test_a_failure_without_a_fault_takes_the_ramp_back(entry: Entry) -> None:
    story = told(entry)
    assert story.taken_back == "burst: 40 failures"
    assert "the ramp was taken back: burst: 40 failures" in shortcomings(story)


def test_a_good_end_has_no_shortcomings_though_the_fault_was_seen() -> None:
    assert shortcomings(told(FALL, fault_at=1030.0), account(during=9)) == []


@pytest.mark.parametrize(
    ("story", "made", "said"),
    [
        (told(FALL, fault_at=1030.0), account(before=2), "2 wrong answers before anything was spoiled"),
        (told(FALL, fault_at=1030.0), account(after=3), "3 wrong answers after the way back"),
        (told(FALL, fault_at=1020.6), account(), "the way back took 10.9 s, more than 5"),
        (told(fault_at=1030.0), account(), "the new side failed, and nothing was taken back"),
    ],
)
def test_what_is_wrong_is_said(story: Story, made: Account, said: str) -> None:
    assert shortcomings(story, made) == [said]


def test_a_ramp_that_does_not_arrive_or_is_late_fails() -> None:
    story = Story(100)
    story.follow(CLIMB[:2])
    assert shortcomings(story) == ["the ramp came to 10 % in 120 s"]
    assert shortcomings(story, interrupted=True) == []
    late = [START, msgspec.structs.replace(CLIMB[3], at=1130.0)]
    story = Story(100)
    story.follow(late)
    assert shortcomings(story) == ["the ramp took 130 s, more than 120"]


def test_answers_are_counted_where_they_belong() -> None:
    made = Account()
    made.add(1.0, 1.1, right=True)
    made.failed_at = 2.0
    made.add(1.9, 1.95, right=False)  # told late, answered before
    made.add(1.9, 2.1, right=False)  # on its way when it began
    made.back_at = 3.0
    made.add(3.5, 3.6, right=False)  # workers may not have been told yet
    made.add(4.5, 4.6, right=True)
    assert (made.before, made.during, made.after) == (Answers(2, 1), Answers(2, 2), Answers(1, 0))
    assert made.last_wrong_at == 3.6


def test_the_report_tells_when_the_last_wrong_answer_was() -> None:
    made = account(during=1)
    made.failed_at, made.last_wrong_at = 1030.0, 1031.25
    story = told(FALL, fault_at=1030.0)
    assert report_of(story, made).last_wrong_s == 1.25
    made.last_wrong_at = 1001.0
    assert report_of(story, made).last_wrong_s is None


def test_the_summary_fits_80_columns() -> None:
    lines = ramp_summary(report_of(told(FALL, fault_at=1030.0), account(during=9)))
    assert lines == [
        "reads: 10 % at 5 s, 100 % at 20 s",
        "  fault at 100 %: taken back in 1.5 s",
        "  users, before      10 answers, 0 wrong",
        "  users, during      10 answers, 9 wrong",
        "  users, after       10 answers, 0 wrong",
    ]


def test_the_end_does_not_call_a_broken_new_side_well() -> None:
    ramp = report_of(told(FALL, fault_at=1030.0), account(during=9))
    whole = Report(60.0, 30, 30, 0, 9, {"legacy": 20, "python": 10}, {}, {"p50": 1.0}, 1, [], ramp)
    assert summary(whole, []).endswith("\n\nThe rollout went as it should.")
    assert summary(whole, ["late"]).endswith("\n\nFAILED: late")
    early = msgspec.structs.replace(whole, ramp=report_of(told()))
    assert summary(early, []).endswith("\n\nEnded by hand; until then, nothing went wrong.")
    assert msgspec.json.decode(as_json(whole), type=Report) == whole
