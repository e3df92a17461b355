# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether clients should load themselves anew."""

from __future__ import annotations

import pytest

from services.boot.handlers import should_reload
from services.kernel.settings import LOOMIO_VERSION, Settings

QUIET = {"DATABASE_URL": "postgresql://h/db", "SECRET_KEY_BASE": "secret", "RELEASE": "r1"}
RELOADING = QUIET | {"LOOMIO_SYSTEM_RELOAD": "1"}


@pytest.mark.parametrize(
    ("environment", "version", "release", "reload"),
    [
        (QUIET, "0.0.0", "r1", True),
        (QUIET, "", None, True),
        (QUIET, LOOMIO_VERSION, "other", None),
        (QUIET, "9", None, None),
        (QUIET, "10.0.0", None, True),  # versions are compared as text, as Loomio does
        (RELOADING, LOOMIO_VERSION, "r1", False),
        (RELOADING, LOOMIO_VERSION, "other", True),
        (RELOADING, LOOMIO_VERSION, None, True),
    ],
)
def test_should_reload(
    environment: dict[str, str], version: str, release: str | None, reload: bool | None
) -> None:
    assert should_reload(version, release, Settings.from_environment(environment)) is reload
