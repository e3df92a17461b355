# SPDX-License-Identifier: AGPL-3.0-or-later
"""Child processes on a core of their own, and what the kernel knows of them (Linux: /proc)."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

_CORES: Final = sorted(os.sched_getaffinity(0))
SUBJECT_CORE: Final = _CORES[0]
"""Where the proxies run, one at a time."""
OTHER_CORE: Final = _CORES[min(1, len(_CORES) - 1)]
"""Where origin and client run."""

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.02


class StartError(Exception):
    """A program did not start. The message ends with its last words."""


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started or runs within stays on `core`, as do its children."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Child:
    """A program whose output goes to a file in `folder`."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        core: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = Path(command[0]).name
        self._output = folder / "output.log"
        with self._output.open("wb") as output, on_core(core):
            # The commands are this package's own.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_without_ours(os.environ) | dict(environment or {}),
                cwd=Path(__file__).parents[2],
                # Ctrl-C is for us to pass on.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process' id."""
        return self._process.pid

    def output(self) -> str:
        """What it said so far."""
        return self._output.read_text("utf-8", "replace")

    def wait_for(self, port: int) -> None:
        """Until it listens on `port`. Raises `StartError`."""
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(port):
            self.check(deadline)
            time.sleep(_POLL_SECONDS)

    def check(self, deadline: float) -> None:
        """Raises `StartError` when it has ended, or the clock is past `deadline`."""
        if self._process.poll() is not None or time.monotonic() > deadline:
            raise StartError(
                f"{self.name} did not start; it said: {self.output()[-2000:].strip() or 'nothing'}"
            )

    def stop(self) -> None:
        """End it, by force if need be, and wait until it is gone."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _without_ours(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without what is meant for an edge of the operator's: it must not change what is measured."""
    return {name: value for name, value in environ.items() if not name.startswith("BANYAN_")}


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def children(pid: int) -> list[int]:
    """The processes that `pid` started and that live."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                if parent_of((folder / "stat").read_text()) == pid:
                    found.append(int(folder.name))
    return found


def parent_of(stat: str) -> int:
    """The parent's id in the text of /proc/PID/stat; the name before it may hold anything."""
    return int(stat.rpartition(")")[2].split()[1])


def command_of(pid: int) -> str:
    """A process' command line, its words separated by spaces."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")


def cpu_seconds(pids: Sequence[int]) -> float:
    """CPU time that the processes have used, all threads: nanoseconds of the scheduler, not ticks."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):  # a thread may just have ended
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def rss_bytes(pids: Sequence[int]) -> int:
    """Resident memory of the processes together, counted page by page (statm lags behind by up to a megabyte)."""
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Rss:")) * 1024
    return total
