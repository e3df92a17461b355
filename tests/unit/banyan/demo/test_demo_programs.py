# SPDX-License-Identifier: AGPL-3.0-or-later
"""Our own commands as kept processes."""

from __future__ import annotations

import os

import pytest

from banyan.demo.programs import Program, ProgramError, clean_environment


def test_settings_of_a_real_server_do_not_reach_a_program() -> None:
    environ = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "PYTHONPATH": "/x",
        "TMPDIR": "/t",
        "DATABASE_URL": "postgres://real",
        "SECRET_KEY_BASE_FILE": "/real",
        "BANYAN_NOW": "2001",
        "MYPATH": "/",
    }
    assert clean_environment(environ, {"RELEASE": "7"}) == {
        "PATH": "/bin",
        "LC_ALL": "C",
        "PYTHONPATH": "/x",
        "TMPDIR": "/t",
        "RELEASE": "7",
    }


def program(*arguments: str) -> Program:
    return Program(*arguments, environment=clean_environment(os.environ, {}))


async def test_waits_for_what_a_program_says_and_stops_it() -> None:
    made = program("legacy-playback", "--listen", "127.0.0.1:0")
    try:
        assert (await made.says(r"(http://\S+)")).startswith("http://127.0.0.1:")
        await made.check()
    finally:
        made.stop()
    assert made.stop() == ""


async def test_a_program_that_does_not_start_is_quoted() -> None:
    made = program("legacy-playback", "--listen", "nowhere")
    with pytest.raises(
        ProgramError, match=r"(?s)banyan legacy-playback ended.*--listen nowhere: not HOST:PORT"
    ):
        await made.says(r"(http://\S+)")
    made.stop()
