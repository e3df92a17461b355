# SPDX-License-Identifier: AGPL-3.0-or-later
"""A worker: the data plane on its listening sockets, ordered about by its parent.

Run as `python -m proxy.app.worker` with WorkerOptions as JSON in argv[1]; secrets come from the environment.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import ssl
import sys
import time
from typing import Final

import msgspec
import structlog
import uvloop

from proxy.app import control
from proxy.app.certificate import server_context, use
from proxy.app.lifting import Lifting
from proxy.app.mark import MARK
from proxy.app.packing import Packed, Unpacker
from proxy.app.secrets import read_secret_key_base
from proxy.clock import wall_clock
from proxy.dataplane.edge import Edge
from proxy.routing.subject import SubjectReader
from proxy.routing.table import Table
from proxy.telemetry.log import AccessLog, Format, configure_events
from proxy.telemetry.metrics import series

# The data plane makes no cycles, so there is little to collect; what it holds (10,000 connections) takes long to look
# through. Young garbage is looked for after so many new objects, all of it a hundred thousand times more seldom.
_COLLECT_AFTER: Final = (5_000, 100, 1_000)

log = structlog.get_logger()


class WorkerOptions(msgspec.Struct):
    """File descriptors inherited from the parent, and where logs go."""

    control_fd: int
    listen_fds: list[int]
    access_log: str
    log_format: Format
    drain_seconds: float
    mirror: str


class Worker:
    """One worker's life: first table, listen, obey, drain."""

    def __init__(self, options: WorkerOptions) -> None:
        self._options = options
        self._edge: Edge | None = None
        self._lifting: Lifting | None = None
        self._unpacker = Unpacker()
        self._draining: asyncio.Task[None] | None = None
        self._tls: ssl.SSLContext | None = None
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Until drained: on SIGTERM, by order, or because the parent is gone."""
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=self._options.control_fd))
        loop.add_signal_handler(signal.SIGTERM, self._start_draining, self._options.drain_seconds)
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # Ctrl-C reaches the parent, which drains us
        listening = loop.create_task(self._listen_to_parent(reader, writer))
        await self._over.wait()
        listening.cancel()
        if self._edge is not None:
            control.send(writer, self._counted(self._edge))
            await self._edge.close()
        if self._lifting is not None:
            self._lifting.close()
        writer.close()

    async def _listen_to_parent(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (message := await control.receive_down(reader)) is not None:
            await self._obey(message, writer)
        self._start_draining(self._options.drain_seconds)

    async def _obey(self, message: control.Down, writer: asyncio.StreamWriter) -> None:
        edge = self._edge
        match message:
            case control.Install(generation=generation, table=packed):
                if edge is None:
                    await self._start(self._unpacker.table(packed))
                    control.send(writer, control.Ready())
                else:
                    await self._install(edge, packed)
                control.send(writer, control.Installed(generation))
            case control.Certify(pem=pem):
                if self._tls is None:
                    self._tls = server_context()
                use(self._tls, pem)
            case control.Health(up=up) if edge is not None:
                edge.set_health(up)
            case control.Shares(shares=shares) if edge is not None:
                with edge.stalls.during("install"):
                    self._switch(edge, edge.table.with_shares(shares))
            case control.Count() if edge is not None:
                with edge.stalls.during("count"):
                    control.send(writer, self._counted(edge))
            case control.Reopen() if edge is not None:
                edge.reopen_log()
            case control.Drain(grace=grace):
                self._start_draining(grace)
            case _:
                log.warning("order ignored", order=type(message).__name__, why="no table yet")

    async def _start(self, table: Table) -> None:
        options = self._options
        clock = wall_clock(os.environ)
        secret = read_secret_key_base(os.environ)
        reader = SubjectReader(secret, now=clock)
        access_log = AccessLog(options.access_log, options.log_format, time.time)
        edge = Edge(asyncio.get_running_loop(), table, reader, access_log, os.urandom(8).hex())
        edge.mark = os.environ.get(MARK, "").encode()
        self._compare(edge)
        for descriptor in options.listen_fds:
            await edge.listen(socket.socket(fileno=descriptor), self._tls)
        self._edge = edge
        # What exists now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)
        edge.stalls.watch_collector()

    async def _install(self, edge: Edge, packed: Packed) -> None:
        """Switch to another table. In three turns of the loop, for requests are not to wait for all of it at once."""
        with edge.stalls.during("install"):
            self._unpacker.matcher(packed)
        await asyncio.sleep(0)
        with edge.stalls.during("install"):
            table = self._unpacker.table(packed)
        await asyncio.sleep(0)
        with edge.stalls.during("install"):
            self._switch(edge, table)
            gc.freeze()

    def _switch(self, edge: Edge, table: Table) -> None:
        """New requests are decided by `table`, and compared by it."""
        edge.install(table)
        self._compare(edge)

    def _compare(self, edge: Edge) -> None:
        """Have exchanges compared, where the configuration says so."""
        lifting = self._lifting
        if lifting is not None:
            lifting.install(edge.table)
        elif any(group.shadow for group in edge.table.groups):
            lifting = self._lifting = Lifting(
                edge.loop, self._options.mirror, edge.table, edge.recorder.counters, fresh=self._edge is None
            )
            edge.observer = lifting

    def _counted(self, edge: Edge) -> control.Counted:
        snapshot = edge.snapshot()
        if self._lifting is not None:
            place = series("banyan_edge_shadow_queue_bytes", place="worker")
            snapshot.gauges[place] = self._lifting.queued
        return control.Counted(snapshot, {str(cause): one for cause, one in edge.stalls.longest().items()})

    def _start_draining(self, grace: float) -> None:
        if self._draining is None:
            self._draining = asyncio.get_running_loop().create_task(self._drain(grace))

    async def _drain(self, grace: float) -> None:
        if self._edge is not None:
            await self._edge.drain(grace)
        self._over.set()


def main() -> None:
    """Entry point of the process."""
    options = msgspec.json.decode(sys.argv[1], type=WorkerOptions)
    configure_events(options.log_format)
    uvloop.run(Worker(options).run())


if __name__ == "__main__":
    main()
