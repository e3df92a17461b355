# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keeps one server process for an owner: stops it, and removes its folder, when the owner says so or is gone.

Run as a script by `kept.KeptProcess`, with its order as JSON in the first argument; imports nothing but the
standard library, so that it is up in some milliseconds. Its standard input is the pipe to the owner: a byte
or the end of the pipe means stop (`k`: and keep the folder). When the server ends unasked, the last lines of
its log go to standard output.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

LAST_LINES = 20


class Keeper:
    """One server and the order it was started by."""

    def __init__(self, order: dict[str, Any]) -> None:
        """Start the server; `kept.KeptProcess` says what an order holds."""
        self.order = order
        self.asked = threading.Event()
        identity: dict[str, Any] = {}
        if order["user"] is not None:
            identity = {"user": order["user"], "group": order["group"], "extra_groups": []}
        with Path(order["log"]).open("ab") as log:
            self.server = subprocess.Popen(
                order["command"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=order["folder"],
                **identity,
            )

    def stop(self) -> None:
        """Ask the server to end; insist after the grace period."""
        self.asked.set()
        with contextlib.suppress(ProcessLookupError):
            self.server.send_signal(self.order["stop_signal"])
        try:
            self.server.wait(self.order["grace"])
        except subprocess.TimeoutExpired:
            self.server.kill()

    def wait_for_owner(self) -> None:
        """Stop when the owner says so or its end of the pipe closes."""
        # Not through sys.stdin: its lock, held by this thread, would abort the interpreter at its end.
        if os.read(0, 1) == b"k":
            self.order["remove"] = None
        self.stop()

    def run(self) -> int:
        """Wait until the server has ended; tidy up; answer its exit status."""
        signal.signal(signal.SIGTERM, lambda *_: self.stop())
        threading.Thread(target=self.wait_for_owner, daemon=True).start()
        status = self.server.wait()
        if not self.asked.is_set():
            lines = Path(self.order["log"]).read_text("utf-8", "replace").splitlines()
            sys.stdout.write("\n".join(lines[-LAST_LINES:]))
            sys.stdout.flush()
        if self.order["remove"] is not None:
            shutil.rmtree(self.order["remove"], ignore_errors=True)
        return status


if __name__ == "__main__":
    sys.exit(Keeper(json.loads(sys.argv[1])).run())
