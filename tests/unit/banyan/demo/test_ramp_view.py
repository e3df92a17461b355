# SPDX-License-Identifier: AGPL-3.0-or-later
"""The ramp on a terminal of 80 columns, and in lines."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from banyan.demo.admin import Entry, Figures, Gate, Group, Stats, Unit
from banyan.demo.ramp.story import Story
from banyan.demo.ramp.view import Watched, plain_line, render

UNIT = Unit(
    "reads",
    ("reads", "lookups"),
    "holding",
    1.0,
    (1, 10, 50, 100),
    "b1",
    "inconclusive",
    "evidence",
    ("volume (reads): 5 of 20 requests on the new side",),
    (
        Gate("volume", "inconclusive", "5 of 20 requests on the new side; " + 20 * "long "),
        Gate("errors", "pass", "0"),
    ),
)
STATS = Stats(
    1,
    {
        "reads": Group(
            1, {"legacy": Figures(90, 0, 30.0, 40.0, 70.0), "python": Figures(3, 2, 1.0, 2.0, 4.0)}
        ),
        "lookups": Group(1, {"legacy": Figures(30, 0, 10.0, 41.0, 60.0)}),
    },
)


def watched(unit: Unit = UNIT) -> Watched:
    story = Story(100)
    story.follow(
        [Entry(0.0, "start", "demo", "a demo", 0, 0), Entry(5.0, "advance", "gates", "all passed", 0, 1)]
    )
    return Watched(
        unit, story, "http://127.0.0.1:1", "http://127.0.0.1:2/dashboard/", stats=STATS, elapsed=17.2
    )


def painted(state: Watched, height: int = 40) -> list[str]:
    console = Console(file=StringIO(), width=80, height=height)
    console.print(render(state, height))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_the_screen_shows_share_sides_gates_and_story() -> None:
    lines = painted(watched())
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 80
    assert "0:17  reads  holding" in text
    assert "dashboard http://127.0.0.1:2/dashboard/" in text
    assert "─█ python 1 %" in text, "1 % is less than a cell, and still to be seen"
    assert "ramp   0 % → 1 % → 10 % → 50 % → 100 %" in text
    assert any(line.split() == ["legacy", "40.0", "41.0", "70.0", "0"] for line in lines)
    assert any(line.split() == ["python", "1.0", "2.0", "4.0", "2"] for line in lines)
    assert "verdict inconclusive  waits for evidence: volume (reads)" in text
    assert "… volume" in text
    assert "✓ errors" in text
    assert "0:05  0 % → 1 %: all passed" in text
    assert "users got 0 answers before the fault, 0 wrong" in text


def test_a_low_terminal_shows_the_end_of_the_story() -> None:
    state = watched()
    for number in range(20):
        state.story.tell(number, f"sentence {number}")
    text = "\n".join(painted(state, 24))
    assert "sentence 19" in text
    assert "sentence 9\n" not in text


def test_a_pipe_gets_it_in_a_line() -> None:
    state = watched()
    state.account.before.all = 1200
    assert plain_line(state) == (
        "0:17  reads holding at 1 %; legacy 40/s, python 1/s; 1,200 answers, 0 wrong; "
        "waits for evidence: volume (reads): 5 of 20 requests on the new side"
    )
