# SPDX-License-Identifier: AGPL-3.0-or-later
"""Our own commands as processes, kept as the embedded servers are: none outlives its owner, whatever happens to it."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from banyan.embedded.kept import KeptProcess

_READY_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.02

_INHERITED: Final = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TERM|TZ|TMPDIR|LANG|LC_\w+|LD_\w+|DYLD_\w+|PYTHON\w*|VIRTUAL_ENV|COVERAGE\w*|XDG_\w+"
)


class ProgramError(Exception):
    """A program did not start, or ended although nobody asked it to. The message holds its last words."""


def clean_environment(environ: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """`settings` on the little that any program needs of `environ`.

    The settings of a real Loomio in somebody's shell must not reach a demo or a test.
    """
    return {name: value for name, value in environ.items() if _INHERITED.fullmatch(name)} | dict(settings)


class Program:
    """`banyan ARGUMENTS`, started at once."""

    def __init__(self, *arguments: str, environment: Mapping[str, str]) -> None:
        self.name = f"banyan {arguments[0]}"
        self._last_words: str | None = None
        folder = Path(tempfile.mkdtemp(prefix=f"banyan-{arguments[0]}-"))
        self._log = folder / "server.log"
        self._process = KeptProcess(
            self.name,
            [sys.executable, "-m", "banyan.cli", *arguments],
            folder,
            stop_signal=signal.SIGTERM,
            environment=environment,
        )

    async def says(self, pattern: str) -> str:
        """Wait for `pattern` (a regular expression with one group) in the output; answer the group.

        Raises `ProgramError`.
        """
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            alive = self._process.runs
            if found := re.search(pattern, self._output(), re.MULTILINE):
                return found[1]
            if not alive:
                await self.check()
            if time.monotonic() > deadline:
                raise ProgramError(
                    f"{self.name} was not ready after {_READY_SECONDS:g} s; it said:\n{self._output()[-2000:]}"
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def check(self) -> None:
        """Raises `ProgramError` when the program ended unasked."""
        if not self._process.runs:
            said = await asyncio.to_thread(self.stop)
            raise ProgramError(f"{self.name} ended; its last words:\n{said.strip() or '(none)'}")

    def stop(self) -> str:
        """End it, wait until it is gone, answer its last words where it ended by itself. Blocks; may be repeated."""
        if self._last_words is None:
            self._last_words = self._process.stop()
        return self._last_words

    def _output(self) -> str:
        try:
            return self._log.read_text("utf-8", "replace")
        except FileNotFoundError:  # the keeper has not made it yet, or has tidied up
            return ""
