# SPDX-License-Identifier: AGPL-3.0-or-later
"""The report, the verdict and the summary."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from banyan.demo.admin import NO_GROUP, Figures, Group, Stats
from banyan.demo.judge import SAME, Kind, Verdict
from banyan.demo.report import Report, as_json, make_report, shortcomings, summary, write
from banyan.demo.tally import Tally
from tests.unit.banyan.demo.cases import case

SIDES = ("legacy", "python")


def tally(requests: int = 1000, mismatches: int = 0, edge_errors: int = 0) -> Tally:
    made = Tally()
    for number in range(requests):
        made.add("reads" if number % 2 else NO_GROUP, case("/right", 1), SAME, 0.002)
    for number in range(mismatches):
        made.add("reads", case("/wrong", 1, id="wrong"), Verdict(Kind.DIFFERS, f"/body/{number}"), 0.002)
    for _ in range(edge_errors):
        made.add("reads", case("/failed", 1), Verdict(Kind.EDGE_ERROR, "502 upstream-refused"), None)
    return made


def stats(python: int = 100) -> Stats:
    groups = {
        NO_GROUP: Group(None, {"legacy": Figures(500)}),
        "idle": Group(0.0),
        "ready": Group(100.0),
        "reads": Group(10.0, {"legacy": Figures(400), "python": Figures(python)}),
    }
    return Stats(2, groups)


def report(python: int = 100, **counts: int) -> Report:
    return make_report(20.004, tally(**counts), stats(python), SIDES, ["a note"])


def test_the_object_has_the_promised_form() -> None:
    told = msgspec.json.decode(as_json(report(mismatches=1)))
    assert list(told) == [
        *("seconds", "requests", "recorded_requests", "edge_errors", "mismatches", "sides", "groups"),
        *("latency_ms", "generation", "notes"),
    ]
    assert told["seconds"] == 20.0
    assert told["requests"] == told["recorded_requests"] == 1001
    assert told["sides"] == {"legacy": 900, "python": 100}
    assert set(told["groups"]) == {"in no group", "ready", "reads"}
    assert set(told["groups"]["reads"]) == {"percent", "requests", "p50_ms", "p95_ms", "errors"}
    assert told["groups"]["reads"]["percent"] == 10.0
    assert told["groups"]["reads"]["requests"] == 501
    assert set(told["latency_ms"]) == {"p50", "p95", "p99"}
    assert told["notes"] == ["differs: wrong: /body/0", "a note"]


def test_a_good_demo_has_no_shortcoming() -> None:
    assert shortcomings(report(), 20.0) == []


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (report(mismatches=2), "2 answers differ"),
        (report(edge_errors=3), "3 requests got an error of the edge"),
        (report(python=0), "nothing went to python"),
        (report(requests=999), "only 999 requests"),
    ],
)
def test_whatever_is_missing_is_a_shortcoming(made: Report, reason: str) -> None:
    found = shortcomings(made, 20.0)
    assert len(found) == 1
    assert found[0].startswith(reason)


def test_who_interrupts_a_demo_is_told_of_errors_only() -> None:
    assert shortcomings(report(python=0, requests=3), None) == []
    assert len(shortcomings(report(mismatches=1, edge_errors=1), None)) == 2


def test_the_summary_says_what_moves_and_fits_into_80_columns() -> None:
    text = summary(report(), [])
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert next(line.split() for line in lines if "reads" in line) == [
        "reads",
        "10",
        "%",
        "500",
        "2.0",
        "2.0",
        "0",
    ]
    assert next(line.split() for line in lines if "1 at 0 %" in line) == [
        "1",
        "at",
        "0",
        "%",
        "0",
        "%",
        "500",
        "0",
    ]
    assert "legacy 900 (90.0%), python 100 (10.0%)" in text
    assert lines[-1] == "All is well."


def test_the_summary_says_what_failed_and_does_not_drown_in_notes() -> None:
    text = summary(report(mismatches=50), ["50 answers differ"])
    assert text.splitlines()[-1] == "FAILED: 50 answers differ"
    assert "… and 39 more" in text
    assert len(text.splitlines()) < 40


def test_the_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text("old")
    write(report(), file)
    assert msgspec.json.decode(file.read_bytes())["generation"] == 2
    assert file.stat().st_mode & 0o777 == 0o644
    file.unlink()
    file.mkdir()
    with pytest.raises(OSError, match="directory"):
        write(report(), file)
    assert list(tmp_path.iterdir()) == [file]
