# SPDX-License-Identifier: AGPL-3.0-or-later
"""The whole of Banyan on free loopback ports, started in order and stopped whatever happens; for demo and tests.

async with running_stack(Corpus.open(), Path("routing.yaml")) as stack:
    ... stack.edge_url, stack.admin_url, stack.database_url ...

PostgreSQL (sample database)   Valkey
             ╲                   ╱
playback      Python services          each a process of its own
      ╲           ╱
          edge  ← the clock of both stands at the moment of recording, or recorded sessions would have expired
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from banyan.demo.programs import Program, clean_environment
from banyan.embedded import PostgresServer, ValkeyServer
from banyan.embedded.cache import Progress, silent
from banyan.sampledb import SAMPLE, sample_server
from contracts.corpus import Corpus

_ANY_PORT: Final = "127.0.0.1:0"
_URL: Final = r"(http://\S+)"
_WATCH_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs, and where. URLs have no slash at the end."""

    edge_url: str
    admin_url: str
    legacy_url: str
    python_url: str
    database_url: str
    redis_url: str
    programs: tuple[Program, ...]

    async def watch(self) -> None:
        """Never returns; raises `ProgramError` when a program ends."""
        while True:
            for program in self.programs:
                await program.check()
            await asyncio.sleep(_WATCH_SECONDS)


Before = Callable[[str], AbstractAsyncContextManager[str]]
"""Something that stands before a server: entered with the server's URL, it answers the URL to ask instead."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What can be otherwise. `legacy`: more arguments for the recorded legacy. `before_services`: what the edge meets
    in their place. `keeps`: the edge has its journal, and what it compared, in the database."""

    legacy: tuple[str, ...] = ()
    before_services: Before | None = None
    keeps: bool = False


@asynccontextmanager
async def running_stack(
    corpus: Corpus,
    config: Path,
    *,
    environ: Mapping[str, str] = os.environ,
    progress: Progress = silent,
    arrangement: Arrangement | None = None,
) -> AsyncIterator[Stack]:
    """Everything, as long as the context lasts.

    `config` is the absolute path of a routing file that uses ${LEGACY_URL} and ${PYTHON_URL}.

    Raises `ProgramError`, `EmbeddedError`, `SampleDatabaseError`, `CorpusError`, `MigrationError`.
    """
    arrangement = arrangement or Arrangement()
    base = clean_environment(environ, {"BANYAN_NOW": corpus.recorded_at.isoformat()})
    async with AsyncExitStack() as started:
        stops = _Stops()
        started.push_async_callback(stops.run)
        progress("starting the recorded legacy")
        legacy = stops.keep(_legacy(corpus, base, arrangement.legacy))
        valkey = ValkeyServer(progress=progress)
        await _start(valkey, stops)
        postgres = sample_server(corpus.folder, progress=progress)
        await _start(postgres, stops)
        progress("starting the Python services")
        services = stops.keep(_services(corpus, postgres.url(SAMPLE), valkey.url(), base))
        legacy_url, python_url = await legacy.says(_URL), await services.says(_URL)
        settings = {"LEGACY_URL": legacy_url, "PYTHON_URL": python_url}
        if arrangement.before_services is not None:
            before = arrangement.before_services(python_url)
            settings["PYTHON_URL"] = await started.enter_async_context(before)
        if arrangement.keeps:
            settings["BANYAN_DATABASE_URL"] = postgres.url(SAMPLE)
        progress("starting the edge")
        edge = stops.keep(_edge(corpus, config, base | settings))
        yield Stack(
            edge_url=await edge.says(rf"^listening on {_URL}"),
            admin_url=await edge.says(rf"^admin on {_URL}"),
            legacy_url=legacy_url,
            python_url=python_url,
            database_url=postgres.url(SAMPLE),
            redis_url=valkey.url(),
            programs=(legacy, services, edge),
        )


def _legacy(corpus: Corpus, base: Mapping[str, str], more: tuple[str, ...]) -> Program:
    folder = str(corpus.folder.resolve())
    return Program("legacy-playback", "--listen", _ANY_PORT, "--corpus", folder, *more, environment=base)


def _services(corpus: Corpus, database_url: str, redis_url: str, base: Mapping[str, str]) -> Program:
    """With the recorded server's settings, so that they have nothing but the recordings to differ from."""
    stores = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    environment = {**base, **corpus.env, **stores, **_release(corpus)}
    return Program("services", "--listen", _ANY_PORT, environment=environment)


def _edge(corpus: Corpus, config: Path, settings: Mapping[str, str]) -> Program:
    """Nothing waits for it to drain long: whoever asked has left before."""
    secret = {name: value for name, value in corpus.env.items() if name == "SECRET_KEY_BASE"}
    return Program(
        "edge",
        *("--config", str(config), "--listen", _ANY_PORT, "--admin", _ANY_PORT),
        *("--access-log", "off", "--drain-seconds", "1"),
        environment={**settings, **secret},
    )


class _Stops:
    """What has to be stopped; all at once, since each takes a moment and none needs another to end."""

    def __init__(self) -> None:
        self._stops: list[Callable[[], object]] = []

    def add(self, stop: Callable[[], object]) -> None:
        self._stops.append(stop)

    def keep(self, program: Program) -> Program:
        self.add(program.stop)
        return program

    async def run(self) -> None:
        await asyncio.gather(*(asyncio.to_thread(stop) for stop in self._stops))


async def _start(server: PostgresServer | ValkeyServer, stops: _Stops) -> None:
    """Start an embedded server. When we are cancelled meanwhile, it is waited for: else nobody could stop it."""
    stops.add(server.stop)
    starting = asyncio.ensure_future(asyncio.to_thread(server.start))
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting])
        raise


def _release(corpus: Corpus) -> dict[str, str]:
    """The release that the recorded server showed, as the setting it came from."""
    for case in corpus.reads():
        body = case.response.parsed_body() if case.endpoint == "boot#version" else None
        if isinstance(body, dict) and isinstance(body.get("release"), str):
            return {"RELEASE": body["release"]}
    return {}
