# SPDX-License-Identifier: AGPL-3.0-or-later
"""The three forms of a result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtests.bench.__main__ import main
from loadtests.bench.report import Report, Row, as_markdown, as_text

REPORT = Report(
    {"cpu": "Test", "cores": "2"},
    [
        Row("2k keep-alive 32", "edge-pure", "throughput_ratio", 0.7, 0.8, 0.9, 4),
        Row("2k keep-alive 32", "edge-pure", "cpu_ratio", 1.1, 1.25, 1.4, 4),
        Row("2k keep-alive 32", "nginx", "throughput_ratio", 1, 1, 1, 4),
        Row("idle connections", "nginx", "rss_per_idle_conn_bytes", 512, 512, 512, 1),
    ],
    ["node is left out: node is not installed"],
    ["one thing went wrong"],
)


def test_json_has_the_form_that_scripts_rely_on() -> None:
    written = json.loads(REPORT.json())
    assert set(written) == {"machine", "rows", "notes", "errors"}
    assert written["rows"][0] == {
        "case": "2k keep-alive 32",
        "subject": "edge-pure",
        "metric": "throughput_ratio",
        "min": 0.7,
        "median": 0.8,
        "max": 0.9,
        "rounds": 4,
    }


def test_text_shows_every_case_subject_note_and_error() -> None:
    lines = as_text(REPORT).splitlines()
    assert lines[0].startswith("2k keep-alive 32")
    assert lines[1].split() == ["throughput", "÷", "nginx", "CPU", "÷", "nginx"]
    assert lines[2].split() == ["edge-pure", "0.70", "0.80", "0.90", "1.10", "1.25", "1.40"]
    assert lines[3].split() == ["nginx", "1.00", "1.00", "1.00"]
    assert "note: node is left out: node is not installed" in lines
    assert "ERROR: one thing went wrong" in lines


def test_markdown_is_a_table_with_bold_medians() -> None:
    lines = as_markdown(REPORT).splitlines()
    assert "| 2k keep-alive 32 | throughput ÷ nginx | CPU ÷ nginx |" in lines
    assert "|---|---|---|" in lines
    assert "| edge-pure | 0.70 **0.80** 0.90 | 1.10 **1.25** 1.40 |" in lines
    assert "| nginx | 512 |" in lines, "one round has no spread"
    assert "- **Error:** one thing went wrong" in lines


def test_a_written_result_can_be_shown_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, markdown = tmp_path / "kept.json", tmp_path / "tables.md"
    kept.write_bytes(REPORT.json())
    assert main(["--show", str(kept), "--markdown", str(markdown)]) == 1, "its errors count still"
    assert capsys.readouterr().out == as_text(REPORT)
    assert markdown.read_text() == as_markdown(REPORT)


@pytest.mark.parametrize("words", [["--cases", "no such case"], ["--subjects", "apache"], ["--rounds", "0"]])
def test_wrong_use_leaves_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert words[0] in capsys.readouterr().err
