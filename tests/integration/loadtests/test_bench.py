# SPDX-License-Identifier: AGPL-3.0-or-later
"""The benchmark runs on a machine that has nothing but Python, and its result has the promised form."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path


async def test_a_quick_run_measures_the_edge(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    cases = ("2k keep-alive 128", "WebSocket")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtests.bench", "--quick", "--plain", "--subjects", "edge-pure"),
        *(word for case in cases for word in ("--cases", case)),
        *("--json", str(result)),
        cwd=Path(__file__).parents[3],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, progress = await process.communicate()
    assert process.returncode == 0, (out + progress).decode()
    report = json.loads(result.read_bytes())
    assert report["errors"] == []
    figures = {(row["case"].partition(" ")[2], row["metric"]): row for row in report["rows"]}
    for place in (
        ("keep-alive 128", "throughput_rps"),
        ("keep-alive 128", "cpu_us_per_request"),
        ("3000/s", "cpu_us_per_message"),
    ):
        row = figures[place]
        assert (row["subject"], row["rounds"]) == ("edge-pure", 1)
        assert 0 < row["min"] <= row["median"] <= row["max"]
    assert any("client is in Python" in note for note in report["notes"])
    assert "CPU µs/request" in out.decode()
    assert "round 1 of 1" in progress.decode()
