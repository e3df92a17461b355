# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan demo --ramp`, once, from start to end: the one long test."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec

from banyan.demo.ramp.report import BACK_SECONDS, TOP_SECONDS, RampReport
from banyan.demo.report import Report
from tests.integration.banyan.demos import demo, left

STEPS = [1, 10, 50, 100]


async def test_a_ramp_climbs_by_itself_and_is_taken_back_when_the_new_side_breaks(
    tmp_path: Path, scratch: Path
) -> None:
    async with demo(tmp_path, scratch, "--ramp", "--seconds", "1", "--report", "report.json") as run:
        dashboard = (await run.says(r"dashboard (http://\S+/dashboard/)"))[1]
        code, errors = await run.end(180)
    assert errors == "", run.said
    report = msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=Report)
    ramp = report.ramp
    assert isinstance(ramp, RampReport), run.said
    assert [step.share for step in ramp.steps] == STEPS, run.said
    assert sorted(step.at_s for step in ramp.steps) == [step.at_s for step in ramp.steps]
    assert ramp.reached_100_s == ramp.steps[-1].at_s
    assert (ramp.fault_at_share, ramp.dashboard) == (100, dashboard)
    assert ramp.rollback_s is not None, run.said
    users = ramp.answers
    assert (users["before"].wrong, users["after"].wrong) == (0, 0), run.said
    assert users["during"].wrong > 0, "what broke was seen by users, and is counted"
    assert all(answers.all for answers in users.values())
    assert sum(answers.all for answers in users.values()) == report.requests
    assert sum(answers.wrong for answers in users.values()) == report.mismatches + report.edge_errors
    assert all(report.sides.values())
    in_time = ramp.reached_100_s <= TOP_SECONDS and ramp.rollback_s <= BACK_SECONDS
    assert code == (0 if in_time else 1), run.said
    told = "\n".join(ramp.story)
    raises = [f"{a} % → {b} %: all gates passed" for a, b in pairwise([0, *STEPS])]
    for sentence in (*raises, "100 % → 0 %"):
        assert sentence in told
        assert sentence in run.said
    assert "steps: [1, 10, 50, 100]" in run.said, "the policy is shown"
    assert "\x1b" not in run.said
    assert not left(scratch)


async def test_a_file_without_a_ramp_is_wrong_use(tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "flat.yaml").write_text(
        "version: 1\nbackends:\n  legacy: {urls: ['${LEGACY_URL}']}\n  python: {urls: ['${PYTHON_URL}']}\n"
        "salt: s1\ngroups:\n  health: {percent: 0, routes: [GET /up]}\n"
    )
    async with demo(tmp_path, scratch, "--ramp", "--config", "flat.yaml") as run:
        code, errors = await run.end()
    assert code == 2
    assert "flat.yaml: no group has a ramp" in errors
    assert not left(scratch)
