# SPDX-License-Identifier: AGPL-3.0-or-later
"""The live view, as a terminal of 80 columns shows it."""

from __future__ import annotations

import io

from rich.console import Console

from banyan.demo.admin import Figures, Finding, Group, Stats
from banyan.demo.judge import SAME, Kind, Verdict
from banyan.demo.live import Hint, Live
from banyan.demo.view import plain_line, render
from tests.unit.banyan.demo.cases import case

BUSY = Figures(requests=90, rate=9.0, p50_ms=1.234, p95_ms=12.7)
FEW = Figures(requests=10, rate=1.0, p50_ms=2.0, p95_ms=3.0, errors=2)


def live(**groups: Group) -> Live:
    state = Live("http://127.0.0.1:4000", "routing.yaml", 20.0, elapsed=7.3, stats=Stats(3, groups))
    state.hint = Hint("Flip it.", "Then it moves.")
    state.tally.add("a", case("/one", 1), SAME, 0.002)
    return state


def screen(state: Live, height: int = 24, *, colours: bool = False) -> list[str]:
    console = Console(file=io.StringIO(), width=80, height=height, force_terminal=colours, _environ={})
    console.print(render(state, height))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def row(lines: list[str], start: str) -> list[str]:
    return next(line.split() for line in lines if line.startswith(start))


def test_a_group_that_moves_shows_both_sides_with_what_is_asked_and_what_is_seen() -> None:
    lines = screen(live(reads=Group(10, {"python": FEW, "legacy": BUSY})))
    at = next(index for index, line in enumerate(lines) if line.startswith("reads"))
    assert lines[at].split() == ["reads", "legacy", "90.0", "%", "9.0", "1.23", "13", "0"]
    assert lines[at + 1].split() == ["python", "10", "%", "10.0", "%", "1.0", "2.00", "3.00", "2"]


def test_a_group_that_moves_is_there_even_without_traffic() -> None:
    lines = screen(live(reads=Group(1), done=Group(100)))
    assert row(lines, "reads") == ["reads", "legacy", "–", "0.0", "–", "–", "0"]
    assert row(lines, "done") == ["done", "python", "100", "%", "–", "0.0", "–", "–", "0"]


def test_groups_at_zero_are_shown_with_traffic_only_and_summed_up_where_there_is_no_room() -> None:
    groups = {f"still-{number}": Group(0, {"legacy": BUSY}) for number in range(30)}
    lines = screen(live(idle=Group(0), **groups))
    shown = [line for line in lines if line.startswith("still-")]
    assert not any("idle" in line for line in lines)
    assert f"{30 - len(shown)} more at 0 %" in "\n".join(lines)
    assert len(lines) <= 24


def test_everything_fits_into_80_columns() -> None:
    name = "a-group-with-a-name-that-is-much-too-long-for-any-table"
    huge = Figures(requests=10**9, errors=1_234, rate=312.4, p50_ms=3_000, p95_ms=30_000)
    state = live(**{name: Group(33.33, {"legacy": huge, "python": huge})})
    state.rejected = (
        Finding("/very/long/" * 10 + "routing.yaml", 12, 3, "bad", "it is bad " * 20, "mend it"),
    )
    state.events.append(f"0:05  refused: {state.rejected[0]}")
    lines = screen(state)
    assert max(map(len, lines)) <= 80
    assert row(lines, "a-group-with-a-name-…")[-4:] == ["312.4", "3000", "30000", "1,234"]


def test_what_goes_wrong_stands_out() -> None:
    state = live()
    assert not any("\x1b[1;31m" in line for line in screen(state, colours=True))
    state.tally.add("a", case("/two", 1, id="case two"), Verdict(Kind.DIFFERS, "/body"), 0.1)
    lines = screen(state, colours=True)
    assert any("\x1b[1;31m1 differs" in line for line in lines)
    assert any("differs: case two: /body" in line for line in lines)


def test_the_latest_event_and_the_hint_are_told() -> None:
    state = live()
    state.events += ["0:01  generation 2: a: 1 % → 2 %", "0:05  generation 3: a: 2 % → 3 %"]
    text = "\n".join(screen(state))
    assert "generation 3: a: 2 % → 3 %" in text
    assert "generation 2: a" not in text
    assert "Flip it.\nThen it moves. Ctrl-C ends." in text


def test_the_plain_line_has_no_escapes_and_both_sides() -> None:
    line = plain_line(
        live(reads=Group(10, {"legacy": BUSY, "python": FEW}), still=Group(0, {"legacy": BUSY}))
    )
    assert line == (
        "0:07 of 0:20  1 answers, 0 differ, 0 edge errors; legacy 18/s python 1/s; p50 2.01 ms; "
        "generation 3, 1 moving"
    )
