# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tests in a real browser. Where there is none they are left out, and the end of the run says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.browser.chromium import program

HERE = Path(__file__).parent
_LEFT_OUT = "the tests in tests/browser were left out: no Chromium here (apt-get install chromium)"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """The machine's Chromium, without a window."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        yield started
        await started.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave this folder's tests out where they can't run."""
    if program() is None:
        left_out = [item for item in items if HERE in item.path.parents]
        if left_out:
            items[:] = [item for item in items if item not in left_out]
            config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say so at the end of the run."""
    if program() is None:
        terminalreporter.section("browser")
        terminalreporter.write_line(_LEFT_OUT)
