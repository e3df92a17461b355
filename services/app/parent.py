# SPDX-License-Identifier: AGPL-3.0-or-later
"""The parent process: binds the address, keeps the workers running, answers the admin address.

Workers share one listening socket, made here: whichever is free takes the next connection, and none is lost
when a worker ends. A worker that ends unasked is replaced, after a pause that grows with every time in a
row.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

import msgspec
import uvloop
from aiohttp import web

from services.app.application import ROUTES
from services.app.worker import DRAIN_SECONDS, Report
from services.kernel import log, openapi
from services.kernel.metrics import exposition, total
from services.kernel.settings import Settings

BACKLOG = 1024
REPORT_SECONDS = 3.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0

Address = tuple[str, int]


class StartError(Exception):
    """The services can't start; the message says why."""


@dataclass(slots=True, eq=False)
class Worker:
    """One worker process, and the parent's end of its control socket."""

    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def report(self) -> Report | None:
        """What the worker says of itself; None when it does not answer in time."""
        try:
            async with asyncio.timeout(REPORT_SECONDS), self.lock:
                self.writer.write(b"report\n")
                return msgspec.json.decode(await self.reader.readline(), type=Report)
        except (TimeoutError, ConnectionError, msgspec.DecodeError):
            return None


class Parent:
    """Keeps a number of workers on one listening socket."""

    def __init__(self, listening: socket.socket, number: int, environment: Mapping[str, str]) -> None:
        """Nothing runs before `start`."""
        self._listening = listening
        self._number = number
        self._environment = dict(environment)
        self._workers: set[Worker] = set()
        self._keeping: list[asyncio.Task[None]] = []
        self._log = log.logger()

    async def start(self) -> None:
        """Start the workers and wait until they take requests. Raises `StartError`."""
        try:
            async with asyncio.TaskGroup() as spawning:
                spawned = [spawning.create_task(self._spawn()) for _ in range(self._number)]
        except* StartError as errors:
            await self.stop()
            raise errors.exceptions[0] from None
        started = [task.result() for task in spawned]
        self._keeping = [asyncio.create_task(self._keep(worker)) for worker in started]

    async def stop(self) -> None:
        """Let the workers answer what is under way, and end."""
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        await asyncio.gather(*(_end(worker) for worker in self._workers))
        self._workers.clear()

    async def reports(self) -> dict[int, Report | None]:
        """What each worker says of itself, by its process id."""
        workers = list(self._workers)
        reports = await asyncio.gather(*(worker.report() for worker in workers))
        return {worker.process.pid: report for worker, report in zip(workers, reports, strict=True)}

    async def _spawn(self) -> Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            descriptors = (self._listening.fileno(), theirs.fileno())
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "services.app.worker", *map(str, descriptors)),
                pass_fds=descriptors,
                env=self._environment,
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            if not await reader.readline():
                await process.wait()
                raise StartError("a worker ended while it started; its own message is above")
        except BaseException:
            writer.close()  # a worker that starts after all finds its parent gone, and ends
            raise
        worker = Worker(process, reader, writer)
        self._workers.add(worker)
        return worker

    async def _keep(self, worker: Worker) -> None:
        """Replace `worker` whenever it ends."""
        pause = FIRST_PAUSE
        while True:
            status = await worker.process.wait()
            worker.writer.close()
            self._workers.discard(worker)
            self._log.error("worker ended", status=status, pid=worker.process.pid, pause=pause)
            while True:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                with contextlib.suppress(StartError):
                    worker = await self._spawn()
                    break


async def _end(worker: Worker) -> None:
    with contextlib.suppress(ProcessLookupError):
        worker.process.terminate()
    try:
        await asyncio.wait_for(worker.process.wait(), DRAIN_SECONDS + 5)
    except TimeoutError:
        worker.process.kill()
        await worker.process.wait()
    worker.writer.close()


def admin(parent: Parent) -> web.Application:
    """Health, readiness and metrics of all workers together; what is served, as OpenAPI."""

    async def health(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def ready(_request: web.Request) -> web.Response:
        reports = await parent.reports()
        workers = [
            {"pid": pid, "ready": False}
            if report is None
            else {"pid": pid, "ready": report.readiness.is_ready, **report.readiness.told()}
            for pid, report in reports.items()
        ]
        able = any(worker["ready"] for worker in workers)
        body = {"status": "ok" if able else "unavailable", "workers": workers}
        return web.json_response(body, status=200 if able else 503)

    async def metrics(_request: web.Request) -> web.Response:
        reports = await parent.reports()
        text = exposition(total(report.samples for report in reports.values() if report is not None))
        return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def described(_request: web.Request) -> web.Response:
        return web.json_response(openapi.document(ROUTES))

    app = web.Application()
    app.router.add_get("/health", health)
    app.router.add_get("/openapi.json", described)
    app.router.add_get("/ready", ready)
    app.router.add_get("/metrics", metrics)
    return app


def bind(address: Address) -> socket.socket:
    """A listening socket. Raises `StartError`."""
    host, port = address
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
    except OSError as error:
        raise StartError(f"{host}:{port} can't be listened on: {error.strerror or error}") from error
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return listening


def url_of(listening: socket.socket) -> str:
    """Where a socket listens, as a URL."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def run(
    environment: Mapping[str, str],
    listen: Address,
    admin_address: Address | None,
    workers: int,
    say: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT. Raises `StartError`, and `SettingsError` before anything runs."""
    log.configure(Settings.from_environment(environment).log_format)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with bind(listen) as listening:
        parent = Parent(listening, workers, environment)
        await parent.start()
        try:
            say(f"services on {url_of(listening)}")
            async with served(admin(parent), admin_address, say):
                await stop.wait()
        finally:
            await parent.stop()


@contextlib.asynccontextmanager
async def served(
    application: web.Application, address: Address | None, say: Callable[[str], None]
) -> AsyncIterator[None]:
    """What operators may ask, answered at `address` meanwhile; nowhere where there is none. Raises `StartError`."""
    if address is None:
        yield
        return
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    listening = bind(address)
    await web.SockSite(runner, listening).start()
    say(f"admin on {url_of(listening)}")
    try:
        yield
    finally:
        await runner.cleanup()


def serve(
    environment: Mapping[str, str],
    listen: Address,
    admin_address: Address | None,
    workers: int,
    say: Callable[[str], None],
) -> None:
    """`run`, with a loop of its own."""
    uvloop.run(run(environment, listen, admin_address, workers, say))
