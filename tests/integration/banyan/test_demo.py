# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan demo` as people run it: start to end, edited meanwhile, interrupted, killed."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
from pathlib import Path

import msgspec
import pytest

from banyan.demo.report import Report
from banyan.demo.routing_file import shipped_folder
from tests.integration.banyan.demos import demo, left, servers
from tests.proxytest.waiting import until

HINT = re.compile(r"Flip a group: routing\.yaml line (\d+), (\S+), percent: (\S+) → (\d+), save\.")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Somebody's folder with the shipped routing file, to be edited."""
    for name in ("routing.yaml", "routes.yaml"):
        shutil.copy(shipped_folder() / name, tmp_path / name)
    return tmp_path


async def test_ends_by_itself_with_a_report_and_nothing_wrong(folder: Path, scratch: Path) -> None:
    async with demo(folder, scratch, "--seconds", "4", "--report", "report.json") as run:
        code, errors = await run.end()
    assert (code, errors) == (0, ""), run.said
    report = msgspec.json.decode((folder / "report.json").read_bytes(), type=Report)
    assert report.requests == report.recorded_requests >= 200
    assert (report.edge_errors, report.mismatches, report.generation) == (0, 0, 1)
    assert sum(report.sides.values()) == report.requests
    assert report.sides.keys() == {"legacy", "python"}
    assert all(report.sides.values())
    assert sum(group.requests for group in report.groups.values()) == report.requests
    assert any(group.percent for group in report.groups.values())
    assert report.latency_ms["p50"] <= report.latency_ms["p95"] <= report.latency_ms["p99"]
    assert run.said.rstrip().endswith("All is well.")
    assert "\x1b" not in run.said
    assert not left(scratch)


async def test_follows_the_routing_file_and_ends_at_ctrl_c(folder: Path, scratch: Path) -> None:
    file = folder / "routing.yaml"

    def edit(line: int, before: str, after: str) -> None:
        lines = file.read_text().splitlines()
        assert f"percent: {before}" in lines[line - 1]
        lines[line - 1] = lines[line - 1].replace(f"percent: {before}", f"percent: {after}")
        draft = folder / "draft"
        draft.write_text("\n".join(lines) + "\n")
        draft.replace(file)

    async with demo(folder, scratch, "--report", "report.json") as run:
        found = await run.says(HINT.pattern)
        line, group, before, after = int(found[1]), found[2], found[3], found[4]
        edge = await run.says(r"ready: edge http://127\.0\.0\.1:(\d+)")
        await run.says(r"0:\d\d  [\d,]+ answers, 0 differ, 0 edge errors")
        edit(line, before, after)
        await run.says(rf"generation 2: {group}: {before} % → {after} %")
        edit(line, after, "300")
        await run.says(rf"refused, generation 2 goes on: {re.escape(str(file))}:{line}:\d+ out-of-range")
        edit(line, "300", after)
        await run.says("the routing file is in order again")
        run.process.send_signal(signal.SIGINT)
        code, errors = await run.end()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", int(edge[1]))
    assert (code, errors) == (0, ""), run.said
    report = msgspec.json.decode((folder / "report.json").read_bytes(), type=Report)
    assert (report.generation, report.edge_errors, report.mismatches) == (2, 0, 0)
    assert report.groups[group].percent == float(after)
    assert any(f"generation 2: {group}" in note for note in report.notes)
    assert not left(scratch)


@pytest.mark.parametrize("moment", ["starting PostgreSQL", "starting the edge"])
async def test_can_be_interrupted_while_it_starts(folder: Path, scratch: Path, moment: str) -> None:
    async with demo(folder, scratch) as run:
        await run.says(moment)
        run.process.send_signal(signal.SIGTERM)
        assert await run.end() == (0, "")
    assert run.said.endswith("Stopped before anybody came.\n")
    assert not left(scratch)


async def test_leaves_no_server_behind_when_it_is_killed(folder: Path, scratch: Path) -> None:
    async with demo(folder, scratch) as run:
        await run.says("ready: edge")
        assert len(servers(scratch)) == 5
        run.process.kill()
        await run.process.wait()
        await until(lambda: not servers(scratch), 30)


async def test_says_which_program_did_not_start_and_why(folder: Path, scratch: Path) -> None:
    (folder / "routing.yaml").write_text("version: 2\n")
    async with demo(folder, scratch) as run:
        code, errors = await run.end()
    assert code == 2
    assert "banyan edge ended; its last words:" in errors
    assert "routing.yaml:1:10 " in errors
    assert "Traceback" not in errors
    assert not left(scratch)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--config", "none.yaml"), "--config none.yaml: there is no such file"),
        (("--report", "nowhere/report.json"), "--report nowhere/report.json: there is no such folder"),
        (("--corpus", "."), "no reads.jsonl there"),
    ],
)
async def test_wrong_use_is_told_at_once(
    folder: Path, scratch: Path, arguments: tuple[str, ...], reason: str
) -> None:
    async with demo(folder, scratch, *arguments) as run:
        code, errors = await run.end()
    assert code == 2
    assert errors.startswith("banyan: ")
    assert reason in errors
    assert run.said == ""


async def test_a_report_on_stdout_is_all_that_is_there(folder: Path, scratch: Path) -> None:
    async with demo(folder, scratch, "--seconds", "1", "--report", "-") as run:
        _, errors = await run.end()
    assert msgspec.json.decode(run.said, type=Report).requests > 0
    assert "recorded requests in" in errors
