# SPDX-License-Identifier: AGPL-3.0-or-later
"""The owner's half of a kept server process: start it, wait until it is ready, stop it."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from banyan.embedded.cache import server_user
from banyan.embedded.errors import EmbeddedError

KEEPER = Path(__file__).with_name("keeper.py")
GRACE_SECONDS = 10
READY_SECONDS = 60
POLL_SECONDS = 0.005

Started = TypeVar("Started")


class PortTakenError(Exception):
    """Somebody took the port between our choice and the server's bind."""


def free_port() -> int:
    """A TCP port of the loopback that nobody used a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def on_free_port(start: Callable[[int], Started]) -> Started:
    """`start(port)` with a free port, again with another one when it was taken meanwhile."""
    for _ in range(5):
        with contextlib.suppress(PortTakenError):
            return start(free_port())
    raise EmbeddedError("no port could be bound on 127.0.0.1, in five attempts")


class KeptProcess:
    """A server that lives as long as this object's process, at most."""

    def __init__(
        self,
        name: str,
        command: list[str],
        folder: Path,
        *,
        stop_signal: signal.Signals,
        unprivileged: bool = False,
        remove: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start `command` in `folder` (its log goes to `folder/server.log`); `remove` the folder at the end.

        `unprivileged`: as user `nobody` when we are root. `environment` (None: our own) is all it gets.
        """
        self.name = name
        user = server_user() if unprivileged else None
        order = {
            "command": command,
            "folder": str(folder),
            "log": str(folder / "server.log"),
            "user": user and user.pw_uid,
            "group": user and user.pw_gid,
            "stop_signal": int(stop_signal),
            "grace": GRACE_SECONDS,
            "remove": str(folder) if remove else None,
        }
        # A session of its own: Ctrl-C in the owner's terminal must not reach the server before the owner is
        # done.
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", str(KEEPER), json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env=environment,
        )

    @property
    def runs(self) -> bool:
        """Whether the server lives. When it ended unasked, `stop` tells its last words."""
        return self._keeper.poll() is None

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Return when `ready()`. Raises `PortTakenError`, or `EmbeddedError` with the server's last words."""
        deadline = time.monotonic() + READY_SECONDS
        while not ready():
            if not self.runs:
                said = self.stop()
                if "already in use" in said:
                    raise PortTakenError
                raise EmbeddedError(f"{self.name} ended while starting; it said:\n{said}")
            if time.monotonic() > deadline:
                self.stop()
                raise EmbeddedError(f"{self.name} was not ready after {READY_SECONDS} s")
            time.sleep(POLL_SECONDS)

    def stop(self, *, keep_folder: bool = False) -> str:
        """Stop the server and wait until its folder is gone; answers what it said when it ended by itself.

        `keep_folder`: the folder is the caller's from then on, to start on it again or to remove.
        """
        with contextlib.suppress(BrokenPipeError):
            said, _ = self._keeper.communicate(b"k" if keep_folder else b"s")
            return said.decode("utf-8", "replace")
        return ""
