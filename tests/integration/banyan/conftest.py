# SPDX-License-Identifier: AGPL-3.0-or-later
"""What tests of whole programs share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Where everything that a demo starts keeps its files: a folder is gone when its server is."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)  # for a PostgreSQL that may not run as root
        yield Path(name)
