# SPDX-License-Identifier: AGPL-3.0-or-later
"""Clocks, and moments as Rails writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from services.kernel.clock import clock_from, rails_time, system_clock


def test_a_clock_starts_where_it_is_told_and_runs_on() -> None:
    start = datetime(2031, 5, 1, tzinfo=UTC)
    clock = clock_from(start)
    first, second = clock(), clock()
    assert start <= first <= second < start + timedelta(minutes=1)
    assert clock_from(None) is system_clock
    assert system_clock().tzinfo is UTC


def test_moments_are_cut_to_milliseconds_and_told_in_utc() -> None:
    moment = datetime(2031, 5, 1, 1, 2, 3, 9_999, tzinfo=timezone(timedelta(hours=2)))
    assert rails_time(moment) == "2031-04-30T23:02:03.009Z"
    assert rails_time(moment.replace(tzinfo=None)) == "2031-05-01T01:02:03.009Z"
