# SPDX-License-Identifier: AGPL-3.0-or-later
"""The parent process: configuration in, workers kept, admin port served, drain."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec
import structlog
from aiohttp import web

from proxy.app import handover
from proxy.app.admin import admin_application
from proxy.app.certificate import Certificate
from proxy.app.comparing import Comparing
from proxy.app.descriptors import raise_limit, warn_if_few
from proxy.app.health import HealthMonitor
from proxy.app.listening import bind, bind_for_workers, url_of
from proxy.app.mirroring import Mirroring
from proxy.app.rolling import Rolling
from proxy.app.secrets import SecretError, read_secret_key_base
from proxy.app.supervisor import Supervisor
from proxy.clock import wall_clock
from proxy.config.errors import ConfigError
from proxy.config.load import Loaded, load
from proxy.config.watch import watch
from proxy.routing.compile import compile_table
from proxy.routing.subject import SubjectReader
from proxy.routing.table import Share, Table
from proxy.telemetry.history import History
from proxy.telemetry.log import Format, configure_events
from proxy.telemetry.metrics import Snapshot, series, total
from proxy.telemetry.window import Window

_COUNT_EVERY: Final = 1.0

log = structlog.get_logger()


class EdgeOptions(msgspec.Struct, frozen=True):
    """The command line of `banyan edge`. Addresses are (host, port); port 0 picks a free one."""

    config: Path
    listen: tuple[str, int]
    admin: tuple[str, int]
    workers: int = 1
    access_log: str = "-"
    log_format: Format = "json"
    drain_seconds: float = 30.0
    handover: Path | None = None
    tls: tuple[Path, Path] | None = None  # certificate with its chain, key


class StartError(Exception):
    """The edge cannot start. `findings`: what is wrong with the configuration, if that is the reason."""

    def __init__(self, message: str, findings: tuple[ConfigError, ...] = ()) -> None:
        super().__init__(message)
        self.findings = findings


class Outcome(msgspec.Struct, frozen=True):
    """What a reload came to. `generation` is the one that runs now, the new one or still the old; `certificate` says
    what is wrong with a renewed certificate, which is not used then."""

    ok: bool
    changed: bool
    generation: int
    errors: tuple[ConfigError, ...] = ()
    warnings: tuple[ConfigError, ...] = ()
    certificate: str = ""


class Parent:
    """The edge as a whole, seen from the admin port."""

    def __init__(self, options: EdgeOptions) -> None:
        self.options = options
        self.window = Window()
        self.history = History()
        self.reader = SubjectReader(_secret(), now=wall_clock(os.environ))
        self.rejection: Outcome | None = None
        self._reloads = {"changed": 0, "unchanged": 0, "rejected": 0}
        loaded = self._load()
        if loaded.config is None:
            raise StartError(f"{options.config} is not usable", loaded.errors)
        self._config = loaded.config
        self._files = loaded.files
        self.table: Table = compile_table(loaded.config, 1)
        self.descriptors = raise_limit()
        warn_if_few(self.descriptors, self.table)
        self._reloading = asyncio.Lock()
        self._stopping = asyncio.Event()
        self.certificate = None if options.tls is None else Certificate(*options.tls)
        self._taken = None if options.handover is None else handover.take(options.handover)
        if self._taken is not None:
            self._taken.check(options.listen, options.admin)
        self._offer: handover.Offer | None = None
        self._handed_over = False
        sockets = bind_for_workers(
            options.listen, options.workers, () if self._taken is None else self._taken.listening
        )
        self._listening = [sock for own in sockets for sock in own]
        self.mirroring = Mirroring(
            read_secret_key_base(os.environ), options.log_format, takes_over=self._taken is not None
        )
        self.supervisor = Supervisor(
            sockets, options.access_log, options.log_format, options.drain_seconds, self.mirroring
        )
        if self.certificate is not None:
            self.supervisor.certify(self.certificate.pem)
        self.health = HealthMonitor(self.supervisor.tell_health)
        self.comparing = Comparing(self.mirroring, os.environ.get("BANYAN_DATABASE_URL"))
        self.rolling = Rolling(
            loaded.config,
            options.config,
            os.environ,
            apply=self._apply_shares,
            build=self.health.build_of,
            compared=self.comparing,
        )
        self.table = self.table.with_shares(self.rolling.controller.shares())
        self.started = False

    def _load(self) -> Loaded:
        return load(self.options.config, os.environ)

    @property
    def ready(self) -> bool:
        """Whether requests are served: started, not stopping, and a worker lives."""
        return (
            self.started
            and not self._stopping.is_set()
            and any(worker.pid for worker in self.supervisor.workers)
        )

    def available(self) -> list[bool]:
        """Whether each backend of the running table has an address that is up and that no circuit spares."""
        up = self.health.up()
        return [
            any(up.get(backend.name, [True])) and not self.supervisor.leaves_alone(backend.name)
            for backend in self.table.backends
        ]

    async def reload(self) -> Outcome:
        """Read the files again; run what they say, or keep what runs and remember why."""
        async with self._reloading:
            # Neither waits for the other to be right: a half-written certificate must not hold up a kill switch.
            wrong = self._renew_certificate()
            outcome = await self._reload_routing()
            return msgspec.structs.replace(outcome, ok=outcome.ok and not wrong, certificate=wrong)

    def _renew_certificate(self) -> str:
        """Serve with the certificate on disk, if it is another and good; else what is wrong with it."""
        certificate = self.certificate
        if certificate is None:
            return ""
        if certificate.renew():
            self.supervisor.certify(certificate.pem)
            log.info("certificate renewed", files=[str(file) for file in certificate.files])
        elif certificate.rejection:
            log.error("certificate rejected", message=certificate.rejection, effect="the one before stays")
        return certificate.rejection

    async def _reload_routing(self) -> Outcome:
        loaded = await asyncio.to_thread(self._load)
        self._files = loaded.files
        if loaded.config is None:
            outcome = Outcome(False, False, self.table.generation, loaded.errors, loaded.warnings)
            self._count_reload("rejected", outcome)
            first = loaded.errors[0]
            log.error(
                "configuration rejected",
                generation=outcome.generation,
                errors=len(loaded.errors),
                file=first.file,
                line=first.line,
                column=first.column,
                code=first.code,
                message=first.message,
                remedy=first.remedy,
            )
            return outcome
        if loaded.config == self._config:
            self.mirroring.read_rules_again()
            self._count_reload("unchanged", None)
            return Outcome(True, False, self.table.generation, (), loaded.warnings)
        table = await asyncio.to_thread(compile_table, loaded.config, self.table.generation + 1)
        self._config = loaded.config
        self.table = table
        self.rolling.configure(loaded.config, table.generation)
        self.table = table = table.with_shares(self.rolling.controller.shares())
        if not await self.supervisor.install(table):
            log.warning("a worker did not confirm the new generation in time", generation=table.generation)
        self.health.watch(table)
        warn_if_few(self.descriptors, table)
        self._count_reload("changed", None)
        log.info("configuration loaded", generation=table.generation)
        return Outcome(True, True, table.generation, (), loaded.warnings)

    def _apply_shares(self, shares: Mapping[str, Share]) -> None:
        """What the rollout decided, at once."""
        self.table = self.table.with_shares(shares)
        if self.started:
            self.supervisor.tell_shares(self.table, shares)

    def _count_reload(self, outcome: str, rejection: Outcome | None) -> None:
        self._reloads[outcome] += 1
        self.rejection = rejection

    async def count(self) -> Snapshot:
        """All counts, those of its processes and the parent's own."""
        snapshot = total(await asyncio.gather(self.supervisor.count(), self.mirroring.count()))
        for outcome, count in self._reloads.items():
            snapshot.counters[series("banyan_edge_reloads_total", outcome=outcome)] = count
        snapshot.counters["banyan_edge_worker_restarts_total"] = self.supervisor.restarts
        gauges = snapshot.gauges
        gauges["banyan_edge_generation"] = self.table.generation
        gauges["banyan_edge_config_rejected"] = float(self.rejection is not None)
        if self.certificate is not None:
            gauges["banyan_edge_certificate_rejected"] = float(bool(self.certificate.rejection))
            gauges["banyan_edge_certificate_expires_timestamp_seconds"] = self.certificate.expires_at
        gauges["banyan_edge_workers"] = sum(worker.pid is not None for worker in self.supervisor.workers)
        for worker in self.supervisor.workers:
            for cause, seconds in worker.stalls.items():
                name = series("banyan_edge_stall_seconds", worker=str(worker.number), cause=cause)
                gauges[name] = seconds
        for group in self.table.groups:
            gauges[series("banyan_edge_group_percent", group=group.name)] = (
                0.0 if group.kill else group.percent
            )
        for backend, up in zip(self.table.backends, self.health.up().values(), strict=False):
            for address, answers in zip(backend.addresses, up, strict=False):
                name = series("banyan_edge_backend_up", backend=backend.name, address=address.authority)
                gauges[name] = float(answers)
        self.rolling.count(snapshot)
        return snapshot

    # -- life -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain."""
        loop = asyncio.get_running_loop()
        background: list[asyncio.Task[None]] = []
        runner = web.AppRunner(admin_application(self), access_log=None)
        await runner.setup()
        taken = self._taken
        admin_socket = bind(self.options.admin, reuse_port=False) if taken is None else taken.admin
        admin_site = web.SockSite(runner, admin_socket)
        try:
            await admin_site.start()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._stopping.set)
            loop.add_signal_handler(signal.SIGHUP, self._reload_soon)
            loop.add_signal_handler(signal.SIGUSR1, self.supervisor.reopen_logs)
            await self.supervisor.start(self.table)
            self.mirroring.blind_from_now()
            self.health.watch(self.table)
            self.started = True
            await self._offer_itself(admin_socket)
            if taken is not None:
                taken.confirm()
            scheme = "http" if self.certificate is None else "https"
            _say(f"listening on {url_of(self._listening[0], scheme)}", f"admin on {url_of(admin_socket)}")
            background.append(loop.create_task(self._watch()))
            background.append(loop.create_task(self._count_regularly()))
            background.append(loop.create_task(self.rolling.run()))
            await self._stopping.wait()
            log.info("draining", grace=self.options.drain_seconds)
        finally:
            self._stopping.set()
            if self._offer is not None:
                self._offer.close()
            if self._handed_over:
                await admin_site.stop()  # whoever asks is to be answered by the successor
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await self.supervisor.drain(self.options.drain_seconds)
            await self.mirroring.close()
            await self.health.close()
            await self.rolling.close()
            await self.comparing.close()
            await runner.cleanup()

    async def _offer_itself(self, admin_socket: socket.socket) -> None:
        """Let a later edge take over, where that was asked for."""
        if self.options.handover is not None:
            self._offer = handover.Offer(
                self.options.handover, [*self._listening, admin_socket], self._hand_over
            )
            await self._offer.start()

    def _hand_over(self) -> None:
        log.info("handed over", effect="this edge drains and ends")
        self._handed_over = True
        self._stopping.set()

    def stop(self) -> None:
        """Begin to drain, as SIGTERM does."""
        self._stopping.set()

    def _reload_soon(self) -> None:
        task = asyncio.get_running_loop().create_task(self.reload())
        task.add_done_callback(_report)

    async def _watch(self) -> None:
        """Reload whenever the files may have changed."""
        more = () if self.certificate is None else self.certificate.files
        async for _ in watch(lambda: (*self._files, *self._rules_files(), *more)):
            await self.reload()

    def _rules_files(self) -> tuple[Path, ...]:
        return () if self.table.rules is None else (Path(self.table.rules),)

    async def _count_regularly(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            snapshot = await self.supervisor.count()
            self.window.add(loop.time(), snapshot)
            self.history.add(time.time(), snapshot)
            self.rolling.observe(snapshot, self.table, len(self.supervisor.workers))
            await asyncio.sleep(_COUNT_EVERY)


def _report(task: asyncio.Task[Outcome]) -> None:
    """A reload that a signal asked for has nobody else to tell."""
    if not task.cancelled() and task.exception() is not None:
        log.error("reload failed", exc_info=task.exception())


def _secret() -> str | None:
    try:
        secret = read_secret_key_base(os.environ)
    except SecretError as error:
        raise StartError(str(error)) from None
    if secret is None:
        log.warning(
            "no SECRET_KEY_BASE",
            effect="signed-in users cannot be told apart by their session; all visitors get the edge's own cookie",
            remedy="set SECRET_KEY_BASE or SECRET_KEY_BASE_FILE to Rails' value",
        )
    return secret


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def run_edge(options: EdgeOptions, *, on_parent: Callable[[Parent], None] = lambda _: None) -> None:
    """Run an edge in this process until it is told to stop. Raises StartError."""
    configure_events(options.log_format)

    async def run() -> None:
        parent = Parent(options)
        on_parent(parent)
        await parent.run()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())
