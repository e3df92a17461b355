# SPDX-License-Identifier: AGPL-3.0-or-later
"""The machine's own Chromium; Playwright's is not downloaded."""

from __future__ import annotations

import shutil

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def program() -> str | None:
    """Where Chromium is, if it is there."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)
