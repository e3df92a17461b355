# SPDX-License-Identifier: AGPL-3.0-or-later
"""The parent's side of its workers: starting, replacing, ordering, counting."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import structlog

from proxy.app import control
from proxy.app.mark import MARK
from proxy.app.mirroring import Mirroring
from proxy.app.packing import Packed, pack
from proxy.app.worker import WorkerOptions
from proxy.routing.table import Share, Table
from proxy.telemetry.log import Format
from proxy.telemetry.metrics import Snapshot, series, total

_ANSWER_SECONDS: Final = 5.0
_STEADY_SECONDS: Final = 10.0  # a worker that lived so long did not die of its start
_LONGEST_PAUSE: Final = 10.0

log = structlog.get_logger()


class WorkerHandle:
    """One worker's place: its listening sockets, which outlive it, and the process that serves them now."""

    def __init__(self, number: int, sockets: list[socket.socket]) -> None:
        self.number = number
        self.sockets = sockets
        self.process: asyncio.subprocess.Process | None = None
        self.writer: asyncio.StreamWriter | None = None
        self.ready = asyncio.Event()
        self.generation = 0
        self.stalls: dict[str, float] = {}
        self.counted = Snapshot()
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def pid(self) -> int | None:
        """The living process' id."""
        return self.process.pid if self.process is not None and self.ready.is_set() else None

    def tell(self, message: control.Down) -> None:
        """Send, if there is a process to send to."""
        if self.writer is not None and not self.writer.is_closing():
            control.send(self.writer, message)

    async def news(self) -> None:
        """Wait for the next message of this worker."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def heard(self) -> None:
        """Wake who waits for news."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)


class Supervisor:
    """Keeps one process per worker's place alive until told to drain. `sockets`: those of each worker."""

    def __init__(
        self,
        sockets: list[list[socket.socket]],
        access_log: str,
        log_format: Format,
        drain_seconds: float,
        mirroring: Mirroring,
    ) -> None:
        self.workers = [WorkerHandle(number, own) for number, own in enumerate(sockets)]
        self.restarts = 0
        self._access_log = access_log
        self._log_format: Format = log_format
        self._drain_seconds = drain_seconds
        self._mirroring = mirroring
        self._table = Packed(b"", b"")
        self._generation = 0
        self._health: dict[str, list[bool]] = {}
        self._pem = b""
        self._past = Snapshot()  # what dead workers had counted
        self._draining = False
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self, table: Table) -> None:
        """Start all workers on `table`; return when all accept connections."""
        self._set_table(table)
        for worker in self.workers:
            self._keepers.append(asyncio.create_task(self._keep(worker)))
        await asyncio.gather(*(worker.ready.wait() for worker in self.workers))

    async def install(self, table: Table) -> bool:
        """Give `table` to all workers. True when all of them run it."""
        self._set_table(table)
        order = control.Install(self._generation, self._table)
        for worker in self.workers:
            worker.tell(order)
        done = await asyncio.gather(
            *(self._until(worker, lambda one: one.generation >= table.generation) for worker in self.workers)
        )
        return all(done)

    def _set_table(self, table: Table) -> None:
        self._generation = table.generation
        self._table = pack(table)
        # Before the workers: it has to know what they speak of.
        wanted = any(group.shadow for group in table.groups)
        self._mirroring.install(self._generation, self._table, wanted=wanted)

    def certify(self, pem: bytes) -> None:
        """Have all workers serve TLS with this certificate and key, later ones too."""
        self._pem = pem
        self._tell_all(control.Certify(pem))

    def tell_health(self, up: dict[str, list[bool]]) -> None:
        """Tell all workers which addresses answer; later ones too."""
        self._health = up
        self._tell_all(control.Health(up))

    def tell_shares(self, table: Table, shares: Mapping[str, Share]) -> None:
        """Have all workers use these shares; `table` has them already, for later workers."""
        self._table = pack(table)
        self._tell_all(control.Shares(dict(shares)))

    def reopen_logs(self) -> None:
        """Have all access logs opened anew."""
        self._tell_all(control.Reopen())

    def _tell_all(self, message: control.Down) -> None:
        for worker in self.workers:
            worker.tell(message)

    async def count(self) -> Snapshot:
        """The sum over all workers, living and dead. One that does not answer counts as it last did."""

        async def ask(worker: WorkerHandle) -> None:
            before = worker.counted
            worker.tell(control.Count())
            await self._until(worker, lambda one: one.counted is not before)

        await asyncio.gather(*(ask(worker) for worker in self.workers if worker.ready.is_set()))
        return total([self._past, *(worker.counted for worker in self.workers)])

    def leaves_alone(self, backend: str) -> bool:
        """Whether some worker's circuits kept it from `backend` when it last counted, at most about a second ago."""
        name = series("banyan_edge_breaker_open", backend=backend)
        return any(worker.counted.gauges.get(name) for worker in self.workers)

    async def _until(self, worker: WorkerHandle, told: Callable[[WorkerHandle], bool]) -> bool:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                while not told(worker):
                    if worker.writer is None:
                        return False
                    await worker.news()
        except TimeoutError:
            return False
        return True

    async def drain(self, grace: float) -> None:
        """Have all workers finish; kill what is not gone well after `grace` seconds."""
        self._draining = True
        self._tell_all(control.Drain(grace))
        for worker in self.workers:
            for sock in worker.sockets:
                sock.close()
        try:
            async with asyncio.timeout(grace + _ANSWER_SECONDS):
                await asyncio.gather(*self._keepers)
        except TimeoutError:
            log.error("worker killed", why="it did not drain in time")
            for worker in self.workers:
                if worker.process is not None:
                    with contextlib.suppress(ProcessLookupError):
                        worker.process.kill()
            await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep(self, worker: WorkerHandle) -> None:
        """Run processes in this worker's place, one after the other."""
        pause = 0.1
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            code = await self._live(worker)
            worker.ready.clear()
            past = worker.counted
            past.gauges.clear()
            self._past = total([self._past, past])
            worker.counted = Snapshot()
            worker.heard()
            if self._draining:
                return
            self.restarts += 1
            log.error("worker died", worker=worker.number, exit_code=code, remedy="another is started")
            pause = 0.1 if loop.time() - started > _STEADY_SECONDS else min(pause * 2, _LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _live(self, worker: WorkerHandle) -> int:
        ours, theirs = socket.socketpair()
        listening = [sock.fileno() for sock in worker.sockets]
        options = WorkerOptions(
            theirs.fileno(),
            listening,
            self._access_log,
            self._log_format,
            self._drain_seconds,
            self._mirroring.path,
        )
        worker.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "proxy.app.worker",
            msgspec.json.encode(options).decode(),
            pass_fds=(theirs.fileno(), *listening),
            env={**os.environ, MARK: self._mirroring.mark},
        )
        theirs.close()
        reader, writer = await asyncio.open_connection(sock=ours)
        worker.writer = writer
        if self._pem:
            worker.tell(control.Certify(self._pem))
        worker.tell(control.Install(self._generation, self._table))
        worker.tell(control.Health(self._health))
        while (message := await self._hear(worker, reader)) is not None:
            match message:
                case control.Ready():
                    worker.ready.set()
                case control.Installed(generation=generation):
                    worker.generation = generation
                case control.Counted(snapshot=snapshot, stalls=stalls):
                    worker.counted = snapshot
                    worker.stalls = stalls
            worker.heard()
        worker.writer = None
        writer.close()
        return await worker.process.wait()

    async def _hear(self, worker: WorkerHandle, reader: asyncio.StreamReader) -> control.Up | None:
        """The worker's next message; None when it is gone. One that makes no sense costs itself, not the worker."""
        while True:
            try:
                return await control.receive_up(reader)
            except msgspec.DecodeError as error:
                log.error("a worker's message was not understood", worker=worker.number, error=str(error))
