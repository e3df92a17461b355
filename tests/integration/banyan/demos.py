# SPDX-License-Identifier: AGPL-3.0-or-later
"""A demo as people run it, and what it leaves behind."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Demo:
    """A running demo, and what it said."""

    process: Process
    said: str = ""

    async def says(self, pattern: str) -> re.Match[str]:
        """Read on until `pattern` was said."""
        assert self.process.stdout is not None
        async with asyncio.timeout(90):
            while not (found := re.search(pattern, self.said)):
                line = await self.process.stdout.readline()
                assert line, f"it ended without saying {pattern!r}:\n{self.said}"
                self.said += line.decode()
        return found

    async def end(self, seconds: float = 90) -> tuple[int, str]:
        """Its exit code and what it said on stderr."""
        async with asyncio.timeout(seconds):
            rest, errors = await self.process.communicate()
        self.said += rest.decode()
        assert self.process.returncode is not None
        return self.process.returncode, errors.decode()


@asynccontextmanager
async def demo(folder: Path, scratch: Path, *arguments: str) -> AsyncIterator[Demo]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "banyan.cli", "demo", *arguments),
        cwd=folder,
        env=os.environ | {"TMPDIR": str(scratch)},
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        yield Demo(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def left(scratch: Path) -> list[Path]:
    return list(scratch.iterdir())


def servers(scratch: Path) -> list[Path]:
    return list(scratch.glob("banyan-*/server.log"))
