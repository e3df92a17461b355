# SPDX-License-Identifier: AGPL-3.0-or-later
"""The clock that a replay sets back, and the secret."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proxy.app.secrets import SecretError, read_secret_key_base
from proxy.clock import wall_clock


def test_it_starts_where_it_is_told_and_runs_on() -> None:
    clock = wall_clock({"BANYAN_NOW": "2020-02-03T04:05:06"})
    first = clock()
    assert timedelta(0) <= first - datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC) < timedelta(minutes=1)
    assert clock() > first
    assert abs(wall_clock({})() - datetime.now(UTC)) < timedelta(minutes=1)


def test_nonsense_is_named() -> None:
    with pytest.raises(ValueError, match="BANYAN_NOW"):
        wall_clock({"BANYAN_NOW": "soon"})


def test_the_secret_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from-file\n")
    assert read_secret_key_base({"SECRET_KEY_BASE": "direct", "SECRET_KEY_BASE_FILE": str(file)}) == "direct"
    assert read_secret_key_base({"SECRET_KEY_BASE_FILE": str(file)}) == "from-file"
    assert read_secret_key_base({"SECRET_COOKIE_TOKEN": "older"}) == "older"
    assert read_secret_key_base({}) is None
    for wrong in (tmp_path / "missing", tmp_path):
        with pytest.raises(SecretError, match="SECRET_KEY_BASE_FILE"):
            read_secret_key_base({"SECRET_KEY_BASE_FILE": str(wrong)})
    file.write_text("\n")
    with pytest.raises(SecretError, match="empty"):
        read_secret_key_base({"SECRET_KEY_BASE_FILE": str(file)})
