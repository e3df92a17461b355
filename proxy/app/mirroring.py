# SPDX-License-Identifier: AGPL-3.0-or-later
"""The parent's side of the process that compares: started when a group is shadowed, replaced when it dies.

Workers reach it over a unix socket in a directory of the parent's own. The parent keeps it listening, so a worker that
connects while there is no process is heard by the next one, or runs into its own bound; it never waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec
import structlog

from proxy.app import control
from proxy.app.mark import MARK, mark_of
from proxy.app.mirror import MirrorOptions
from proxy.app.packing import Packed
from proxy.telemetry.log import Format
from proxy.telemetry.metrics import Snapshot, total

_ANSWER_SECONDS: Final = 2.0
_LONGEST_PAUSE: Final = 10.0

log = structlog.get_logger()


class Mirroring:
    """Keeps one process alive once it was needed."""

    def __init__(self, secret_key_base: str | None, log_format: Format, *, takes_over: bool) -> None:
        """`takes_over`: another edge served users until now."""
        self._folder = Path(tempfile.mkdtemp(prefix="banyan-"))
        self.path = str(self._folder / "mirror")
        self.mark = mark_of(secret_key_base)
        self.restarts = 0
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(self.path)
        self._listening.listen(1024)
        self._listening.setblocking(False)
        self._log_format: Format = log_format
        self._blind = takes_over
        self._install: control.Install | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._past = Snapshot()
        self._counted = Snapshot()
        self._counting: asyncio.Future[None] | None = None
        self._showing: asyncio.Future[bytes] | None = None
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The process that compares, if there is one."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    def install(self, generation: int, table: Packed, *, wanted: bool) -> None:
        """Go on with this table; `wanted`: some group is compared."""
        self._install = control.Install(generation, table)
        if self._writer is not None:
            control.send(self._writer, self._install)
        elif wanted and self._keeper is None and not self._closing:
            self._keeper = asyncio.get_running_loop().create_task(self._keep())

    def read_rules_again(self) -> None:
        """The file of rules may have changed, though the table has not."""
        if self._writer is not None and self._install is not None:
            control.send(self._writer, self._install)

    def blind_from_now(self) -> None:
        """Users are served from now on: a process that starts later has not seen all writes."""
        self._blind = True

    async def count(self) -> Snapshot:
        """What it counted, and those before it. One that does not answer counts as it last did."""
        if self._writer is not None:
            if self._counting is None:
                self._counting = asyncio.get_running_loop().create_future()
                control.send(self._writer, control.Count())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._counting), 0.5)
        snapshot = total([self._past, self._counted])
        if self._keeper is not None:
            snapshot.counters["banyan_edge_shadow_restarts_total"] = self.restarts
        return snapshot

    async def show(self) -> bytes | None:
        """The evidence as JSON; None where there is no process or it does not answer in time."""
        if self._writer is None:
            return None
        if self._showing is None:
            self._showing = asyncio.get_running_loop().create_future()
            control.send(self._writer, control.Show())
        try:
            return await asyncio.wait_for(asyncio.shield(self._showing), _ANSWER_SECONDS)
        except (TimeoutError, asyncio.CancelledError):
            return None

    async def close(self) -> None:
        """End the process, in good order if it can."""
        self._closing = True
        if self._writer is not None:
            control.send(self._writer, control.Drain(0))
        if self._keeper is not None:
            try:
                await asyncio.wait_for(asyncio.shield(self._keeper), _ANSWER_SECONDS)
            except TimeoutError:
                if self._process is not None:
                    with contextlib.suppress(ProcessLookupError):
                        self._process.kill()
                await self._keeper
        self._listening.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _keep(self) -> None:
        pause = 0.1
        while True:
            began = asyncio.get_running_loop().time()
            code = await self._live()
            past, self._counted = self._counted, Snapshot()
            past.gauges.clear()
            self._past = total([self._past, past])
            if self._closing:
                return
            self.restarts += 1
            self._blind = True
            log.error("the comparing process died", exit_code=code, remedy="another is started")
            lived = asyncio.get_running_loop().time() - began
            pause = 0.1 if lived > _LONGEST_PAUSE else min(pause * 2, _LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _live(self) -> int:
        ours, theirs = socket.socketpair()
        listening = self._listening.fileno()
        options = MirrorOptions(theirs.fileno(), listening, self._log_format, self._blind)
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "proxy.app.mirror", msgspec.json.encode(options).decode()),
            pass_fds=(theirs.fileno(), listening),
            env={**os.environ, MARK: self.mark},
        )
        theirs.close()
        reader, writer = await asyncio.open_connection(sock=ours)
        self._writer = writer
        if self._install is not None:
            control.send(writer, self._install)
        try:
            while (message := await control.receive_up(reader)) is not None:
                match message:
                    case control.Counted(snapshot=snapshot):
                        self._counted = snapshot
                        counting, self._counting = self._counting, None
                        if counting is not None and not counting.done():
                            counting.set_result(None)
                    case control.Shown(evidence=evidence):
                        showing, self._showing = self._showing, None
                        if showing is not None and not showing.done():
                            showing.set_result(evidence)
                    case _:
                        pass
        except msgspec.DecodeError as error:
            log.error("the comparing process was not understood", error=str(error))
        finally:
            self._writer = None
            for future in (self._counting, self._showing):
                if future is not None:
                    future.cancel()
            self._counting = self._showing = None
            writer.close()
        return await self._process.wait()
