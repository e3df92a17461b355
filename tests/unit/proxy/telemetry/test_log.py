# SPDX-License-Identifier: AGPL-3.0-or-later
"""The access log: its lines, its file, and that it never holds anything up."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal

import pytest

from proxy.telemetry.log import AccessLog

MOMENT = 1_796_000_000.125


def note(log: AccessLog) -> None:
    place = log.place("tags#index", "tags-reads", "python", "share", 4)
    log.line(place, "id-1", "GET", 200, "", 0.0123, 0.0100, 0, 2048)


def test_a_json_line(tmp_path: Path) -> None:
    file = tmp_path / "log"
    log = AccessLog(str(file), "json", lambda: MOMENT)
    note(log)
    assert file.read_text() == ""
    log.flush()
    assert json.loads(file.read_text()) == {
        "time": "2026-11-30T00:53:20.125Z",
        "event": "request",
        "request_id": "id-1",
        "method": "GET",
        "route": "tags#index",
        "group": "tags-reads",
        "side": "python",
        "reason": "share",
        "generation": 4,
        "status": 200,
        "failure": "",
        "ms": 12.3,
        "first_byte_ms": 10.0,
        "bytes_in": 0,
        "bytes_out": 2048,
    }


def test_a_console_line(tmp_path: Path) -> None:
    file = tmp_path / "log"
    log = AccessLog(str(file), "console", lambda: MOMENT)
    note(log)
    log.flush()
    assert file.read_text() == (
        "2026-11-30T00:53:20.125Z 200 GET tags#index python (share) 12.3 ms 2048 B id-1\n"
    )


def test_many_lines_are_written_at_once_and_a_moved_file_is_left(tmp_path: Path) -> None:
    file, moved = tmp_path / "log", tmp_path / "moved"
    log = AccessLog(str(file), "json", lambda: MOMENT)
    for _ in range(256):
        note(log)
    assert file.read_text().count("\n") == 256
    note(log)
    file.rename(moved)
    log.reopen()
    note(log)
    log.flush()
    assert (moved.read_text().count("\n"), file.read_text().count("\n")) == (257, 1)


def test_a_pipe_that_nobody_reads_loses_lines_and_time_for_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    kept = os.dup(1)
    os.dup2(writing, 1)
    try:
        log = AccessLog("-", "json", lambda: MOMENT)
        for _ in range(2000):
            note(log)
        log.flush()
    finally:
        os.dup2(kept, 1)
        for descriptor in (reading, writing, kept):
            os.close(descriptor)
    assert log.lost > 0


@pytest.mark.parametrize("form", ["json", "console"])
def test_off_is_off(form: Literal["json", "console"]) -> None:
    log = AccessLog("off", form, lambda: MOMENT)
    assert not log.on
