# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `python -m loadtests.compare` measures, and that it refuses to measure the wrong thing."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import pytest

from loadtests import compare
from proxy.experiment.compare import Comparer
from proxy.experiment.judge import Rules
from proxy.experiment.outcome import Outcome

SMALL = [("equal", b"[1]", b"[1 ]", Outcome.MATCH), ("other", b"[1]", b"[2]", Outcome.MISMATCH)]


def test_rows_are_printed_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.json"
    monkeypatch.setattr(compare, "_cases", lambda: iter(SMALL))
    monkeypatch.setattr(sys, "argv", ["compare", "--rounds", "3", "--json", str(file)])
    compare.main()
    rows = json.loads(file.read_text())["rows"]
    assert [(row["case"], row["bytes"], row["rounds"]) for row in rows] == [("equal", 3, 3), ("other", 3, 3)]
    assert all(0 < row["median_us"] <= row["max_us"] for row in rows)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["equal", "other"]


def test_the_cases_of_ordinary_size_come_to_what_they_say() -> None:
    comparer = Comparer(Rules())
    for name, one, other, outcome in itertools.islice(compare._cases(), 4):
        assert 25_000 < len(one) < 45_000, name
        assert comparer.compare(compare._pair(one, other)).outcome is outcome, name


def test_another_outcome_ends_the_measurement() -> None:
    with pytest.raises(SystemExit, match="came to mismatch, not match"):
        compare._measure(Comparer(Rules()), compare._pair(b"[1]", b"[2]"), 1, Outcome.MATCH)
