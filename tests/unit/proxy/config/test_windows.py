# SPDX-License-Identifier: AGPL-3.0-or-later
"""Change windows and what can be wrong with a ramp."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from proxy.config.windows import check_timezone, check_window, read_window
from tests.unit.proxy.config.routingfiles import HEAD, codes, load_text

MONDAY = datetime(2023, 11, 13)  # noqa: DTZ001 - a local time is meant


@pytest.mark.parametrize(
    ("text", "day", "hour", "holds"),
    [
        ("mon-fri 09:00-17:00", 0, 9, True),
        ("mon-fri 09:00-17:00", 0, 17, False),
        ("mon-fri 09:00-17:00", 5, 12, False),
        ("sat-mon 00:00-24:00", 6, 23, True),
        ("sat-mon 00:00-24:00", 1, 1, False),
        ("wed 10:00-11:00", 2, 10, True),
        ("10:00-11:00", 6, 10, True),
    ],
)
def test_windows(text: str, day: int, hour: int, holds: bool) -> None:
    assert read_window(text).holds(MONDAY + timedelta(days=day, hours=hour)) is holds


@pytest.mark.parametrize("text", ["", "mon", "9:00-17:00", "mon-fri 17:00-09:00", "mon 25:00-26:00", "noon"])
def test_what_is_no_window(text: str) -> None:
    assert check_window(text)


def test_time_zones() -> None:
    assert check_timezone("Europe/Berlin") is None
    assert check_timezone("Europe/Atlantis")
    assert check_timezone("../etc/passwd")


@pytest.mark.parametrize(
    "ramp",
    ["windows: [nights]", "timezone: Mars", "confirm: [20]", "gates: {burst: {points: 200}}"],
)
def test_what_is_wrong_with_a_ramp_is_said(tmp_path: Path, ramp: str) -> None:
    text = (
        f"{HEAD}ramps:\n  r: {{steps: [1, 100], {ramp}}}\ngroups:\n  tags: {{ramp: r, routes: [GET /up]}}\n"
    )
    (code,) = codes(load_text(tmp_path, text))
    assert code in ("bad-value", "out-of-range")
