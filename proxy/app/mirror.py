# SPDX-License-Identifier: AGPL-3.0-or-later
"""The process that compares: it reads what workers hand over, asks the other side, compares, and keeps the evidence.

Run as `python -m proxy.app.mirror` with MirrorOptions as JSON in argv[1]. It runs when nobody else wants the processor
(SCHED_IDLE; BANYAN_MIRROR_SCHEDULING=normal: as anybody else), and no request waits for it: stopped, slow or killed,
it is merely behind or missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import msgspec
import structlog
import uvloop

from proxy.app import control
from proxy.app.mark import MARK
from proxy.app.packing import Unpacker
from proxy.app.secrets import read_secret_key_base
from proxy.clock import wall_clock
from proxy.experiment.compare import Comparer
from proxy.experiment.evidence import Evidence
from proxy.experiment.judge import Rules
from proxy.experiment.lift import Frames
from proxy.experiment.mirror import Mirror
from proxy.experiment.noise import Noise, NoiseLearner
from proxy.experiment.rules import RulesError, load_rules
from proxy.experiment.store import Store, StoreError, Writer
from proxy.experiment.tally import Tally
from proxy.routing.subject import SubjectReader
from proxy.telemetry.log import Format, configure_events
from proxy.telemetry.metrics import Snapshot, series

if TYPE_CHECKING:
    from proxy.experiment.observation import Pair
    from proxy.experiment.outcome import Comparison, Why
    from proxy.routing.table import Table

_AGAIN_SECONDS: Final = 5.0
_TELL_NOISE_EVERY: Final = 60.0

log = structlog.get_logger()


class MirrorOptions(msgspec.Struct):
    """File descriptors inherited from the parent. `blind`: users were served before this process began."""

    control_fd: int
    listen_fd: int
    log_format: Format
    blind: bool


class _Kept:
    """Evidence twice: what this process saw since it began, and what goes to the store."""

    def __init__(self) -> None:
        self.seen = Tally()
        self.outgoing: Tally | None = None

    def add(self, pair: Pair, comparison: Comparison) -> None:
        """Keep a comparison."""
        self.seen.add(pair, comparison)
        if self.outgoing is not None:
            self.outgoing.add(pair, comparison)

    def add_noise(self, noise: list[Noise], at: float) -> None:
        """Keep what is known of noise by now."""
        self.seen.add_noise(noise, at)
        if self.outgoing is not None:
            self.outgoing.add_noise(noise, at)

    def add_dropped(self, route: str, group: str, served: str, role: str, why: Why, at: float) -> None:
        """Keep that one was not made."""
        self.seen.add_dropped(route, group, served, role, why, at)
        if self.outgoing is not None:
            self.outgoing.add_dropped(route, group, served, role, why, at)


class _Inlet(asyncio.Protocol):
    """One worker's connection."""

    def __init__(self, mirror: Mirror, number: int) -> None:
        self._mirror = mirror
        self._number = number
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None
        self._heard = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: a worker connected."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """asyncio: what it hands over."""
        self._heard = time.monotonic()
        try:
            for message, body in self._frames.feed(data):
                self._mirror.take(self._number, message, body)
        except msgspec.DecodeError as error:
            log.error("a worker's message was not understood", error=str(error))
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the worker is gone."""
        self._mirror.lost_worker(self._heard)


class MirrorProcess:
    """One life of the process: first table, listen, obey."""

    def __init__(self, options: MirrorOptions) -> None:
        self._options = options
        self._unpacker = Unpacker()
        self._kept = _Kept()
        self._learner = NoiseLearner()
        self._writer: Writer | None = None
        self._connections = 0
        self._rules_rejected = ""
        self._rules: tuple[tuple[str, int] | None, Comparer] = (None, Comparer(Rules()))
        self._mirror = Mirror(
            reader=SubjectReader(read_secret_key_base(os.environ), now=wall_clock(os.environ)),
            mark=os.environ[MARK].encode(),
            keeps=self._kept,
            learns=self._learner,
            now=time.monotonic,
            wall=time.time,
            blind=options.blind,
            failed=_say_failed,
        )

    async def run(self) -> None:
        """Until the parent is gone or says so."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: None)  # the parent ends this process
        reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=self._options.control_fd))
        server = None
        background = [loop.create_task(self._store()), loop.create_task(self._tell_noise())]
        try:
            while (message := await control.receive_down(reader)) is not None:
                match message:
                    case control.Install(generation=generation, table=packed):
                        self._install(self._unpacker.table(packed))
                        if server is None:
                            sock = socket.socket(fileno=self._options.listen_fd)
                            server = await loop.create_unix_server(self._inlet, sock=sock)
                            control.send(writer, control.Ready())
                        control.send(writer, control.Installed(generation))
                    case control.Count():
                        control.send(writer, control.Counted(self._snapshot(), {}))
                    case control.Show():
                        control.send(writer, control.Shown(self._shown()))
                    case control.Drain():
                        break
                    case _:
                        log.warning("order ignored", order=type(message).__name__)
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await self._mirror.close()
            writer.close()

    def _inlet(self) -> _Inlet:
        self._connections += 1
        return _Inlet(self._mirror, self._connections)

    def _install(self, table: Table) -> None:
        self._mirror.install(table, self._comparer(table))

    def _comparer(self, table: Table) -> Comparer:
        """By the rules in the table's file; by those before it, where the file is no good."""
        if table.rules is None:
            self._rules_rejected = ""
            self._rules = (None, Comparer(Rules()))
            return self._rules[1]
        path = Path(table.rules)
        try:
            version = (table.rules, path.stat().st_mtime_ns)
            if version != self._rules[0]:
                today = datetime.now(UTC).date()
                self._rules = (version, Comparer(load_rules(path, today, drop_expired=True)))
            self._rules_rejected = ""
        except (OSError, RulesError) as error:
            self._rules_rejected = str(error)
            log.error("rules rejected", file=table.rules, message=str(error), effect="those before stay")
        return self._rules[1]

    async def _store(self) -> None:
        """Write to the diff store, where there is one."""
        url = os.environ.get("BANYAN_DATABASE_URL")
        if not url:
            return
        self._kept.outgoing = Tally()
        while True:
            try:
                async with Store.open(url) as store:
                    self._writer = Writer(self._kept.outgoing, store, now=time.time, failed=_say_store_failed)
                    try:
                        await self._writer.run()
                    finally:
                        with contextlib.suppress(StoreError, OSError):
                            await self._writer.flush()
            except (StoreError, OSError) as error:
                _say_store_failed(error)
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _tell_noise(self) -> None:
        while True:
            await asyncio.sleep(_TELL_NOISE_EVERY)
            self._kept.add_noise(self._learner.fields(), time.time())

    def _snapshot(self) -> Snapshot:
        counters = dict(self._mirror.counters)
        if self._writer is not None:
            for code, times in self._writer.written.failures.items():
                counters[series("banyan_edge_shadow_store_failures_total", code=code)] = times
        gauges = {
            series("banyan_edge_shadow_queue_bytes", place="mirror"): float(self._mirror.held),
            "banyan_edge_shadow_behind_seconds": self._mirror.behind(),
            "banyan_edge_shadow_rules_rejected": float(bool(self._rules_rejected)),
        }
        return Snapshot(counters=counters, gauges=gauges)

    def _shown(self) -> bytes:
        self._kept.seen.add_noise(self._learner.fields(), time.time())
        evidence = Evidence.of(self._kept.seen.batch())
        endpoints = [
            {
                "route": one.route,
                "groups": one.groups,
                "comparisons": one.comparisons,
                "outcomes": one.outcomes,
                "reasons": one.reasons,
                "findings": one.findings,
                "coverage": one.coverage,
                "noise": one.noise,
                "lost": one.lost,
                "counts": one.counts,
            }
            for one in evidence.endpoints
        ]
        return msgspec.json.encode(
            {
                "running": True,
                "comparisons": evidence.comparisons,
                "outcomes": evidence.outcomes,
                "behind_seconds": round(self._mirror.behind(), 3),
                "rules_rejected": self._rules_rejected or None,
                "stored": self._kept.outgoing is not None,
                "endpoints": endpoints,
            }
        )


def _say_failed(error: BaseException) -> None:
    """Where a comparison failed, and with what class; its words may hold what people wrote."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    log.error("a comparison failed", error=type(error).__name__, place=place, effect="counted, not compared")


def _say_store_failed(error: Exception) -> None:
    code = getattr(error, "code", type(error).__name__)
    log.warning("diff store", code=code, effect="evidence is kept and written later")


def _stand_back() -> None:
    """Run only when nobody else wants the processor, unless BANYAN_MIRROR_SCHEDULING says `normal`."""
    if os.environ.get("BANYAN_MIRROR_SCHEDULING") == "normal":
        return
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except (AttributeError, OSError):
        os.nice(19)


def main() -> None:
    """Entry point of the process."""
    options = msgspec.json.decode(sys.argv[1], type=MirrorOptions)
    configure_events(options.log_format)
    _stand_back()
    uvloop.run(MirrorProcess(options).run())


if __name__ == "__main__":
    main()
