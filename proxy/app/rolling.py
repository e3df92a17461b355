# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rollout in the parent process: the controller with the world that the environment names.

`BANYAN_REDIS_URL`: several edges agree there; without it this edge is alone. `BANYAN_DATABASE_URL`: the journal;
without it a file. `BANYAN_STATE_DIR`: where the files lie; without it beside the routing file. `BANYAN_REPLICA`: this
edge's name.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog

from proxy.app.announce import Announcer
from proxy.config.written import WrittenConfig
from proxy.rollout.controller import Controller
from proxy.rollout.files import FileJournal, StateFile
from proxy.rollout.memory import MemoryStore
from proxy.rollout.policy import units_of
from proxy.rollout.ports import Compared, Journal, Store
from proxy.rollout.postgres_journal import PostgresJournal
from proxy.rollout.redis_store import RedisStore
from proxy.rollout.replica import Ports
from proxy.rollout.view import gauges
from proxy.routing.table import Share, Table
from proxy.telemetry.metrics import Snapshot, series

_TICK: Final = 0.5

log = structlog.get_logger()


class Rolling:
    """`apply` gets the shares in effect, `build` says which build of a backend runs, `compared` what comparing
    showed."""

    def __init__(
        self,
        config: WrittenConfig,
        routing_file: Path,
        environ: Mapping[str, str],
        *,
        apply: Callable[[Mapping[str, Share]], None],
        build: Callable[[str], str],
        compared: Compared,
        clock: Callable[[], float] = time.time,
    ) -> None:
        folder = Path(environ.get("BANYAN_STATE_DIR") or routing_file.parent)
        redis_url, database_url = environ.get("BANYAN_REDIS_URL"), environ.get("BANYAN_DATABASE_URL")
        self._store: Store = RedisStore(redis_url) if redis_url else MemoryStore(clock, shared=False)
        self._journal: Journal = (
            PostgresJournal(database_url)
            if database_url
            else FileJournal(folder / f"{routing_file.name}.journal")
        )
        self.announcer = Announcer()
        self._announce = config.written.announce
        self.controller = Controller(
            environ.get("BANYAN_REPLICA") or f"{socket.gethostname()}-{os.getpid()}",
            units_of(config),
            Ports(
                store=self._store,
                journal=self._journal,
                compared=compared,
                now=clock,
                build=build,
                apply=apply,
                announce=self.announcer.tell,
                file=StateFile(folder / f"{routing_file.name}.state"),
            ),
        )

    def configure(self, config: WrittenConfig, generation: int) -> None:
        """Another routing file runs."""
        self._announce = config.written.announce
        self.announcer.configure(self._announce)
        self.controller.configure(units_of(config), generation)

    def phase_of(self, group: str | None) -> str | None:
        """The phase of a group's rollout."""
        for name, unit in self.controller.units.items():
            if group in unit.groups:
                return self.controller.states[name].phase
        return None

    def observe(self, snapshot: Snapshot, table: Table, workers: int) -> None:
        """Take what the workers counted."""
        most = {backend.name: backend.pool.max_connections * workers for backend in table.backends}
        self.controller.observe(snapshot, most)

    async def run(self) -> None:
        """Tick and follow until cancelled."""
        self.announcer.configure(self._announce)
        following = asyncio.get_running_loop().create_task(self.controller.follow())
        try:
            while True:
                try:
                    await self.controller.tick()
                except Exception:
                    # Whatever is wrong here must not end what lowers shares.
                    log.exception("rollout tick failed", effect="the next one is tried")
                await asyncio.sleep(_TICK)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def close(self) -> None:
        """Let go of what was opened."""
        await self.announcer.close()
        with contextlib.suppress(OSError):
            await self._store.close()
        if isinstance(self._journal, PostgresJournal):
            await self._journal.close()

    def count(self, snapshot: Snapshot) -> None:
        """Add the rollout's figures."""
        for (name, labels), value in gauges(self.controller).items():
            snapshot.gauges[series(name, **dict(labels))] = value
        for outcome, count in self.announcer.counted.items():
            snapshot.counters[series("banyan_rollout_hooks_total", outcome=outcome)] = count
