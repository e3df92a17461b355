# SPDX-License-Identifier: AGPL-3.0-or-later
"""`python -m loadtests.chaos_rollout [--edges N] [--json PATH]`: what several edges do when their world breaks, timed.

Starts Valkey, PostgreSQL, two backends and N edges, ramps a group up under traffic, then: a change seen by all, the
leader killed, Valkey killed and back, a kill switch with both, and one with Valkey and PostgreSQL away. Exit code 1
where a goal was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from banyan.embedded import PostgresServer, ValkeyServer
from banyan.migrations import migrate

_VISITORS: Final = 200
_GATES: Final = (
    "{compare: false, min_requests: 30, min_users: 5, error_points: 50, slower_points: 50, tail_points: 100}"
)


class Edge:
    """One `banyan edge` as a process."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, url: str, admin: str) -> None:
        self.name, self.process, self.url, self.admin = name, process, url, admin


class Chaos:
    """The run: what was measured, and what users saw meanwhile."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.edges: list[Edge] = []
        self.rows: list[dict[str, Any]] = []
        self.failed = 0
        self.served = 0

    async def ask(self, edge: Edge, path: str, body: dict[str, Any] | None = None) -> Any:
        """The admin port's answer."""
        method = "GET" if body is None else "POST"
        async with self.session.request(method, edge.admin + path, json=body) as answer:
            return await answer.json()

    async def share(self, edge: Edge) -> float:
        """The share that an edge has in effect."""
        routes = (await self.ask(edge, "/routes"))["routes"]
        return float(routes[0]["percent"])

    async def timed(
        self, what: str, goal: float | None, holds: Callable[[], Awaitable[bool]], began: float | None = None
    ) -> None:
        """Wait until it holds; note how long that took."""
        began = time.monotonic() if began is None else began
        while not await holds() and time.monotonic() - began < 60:  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.02)
        took = time.monotonic() - began
        ok = took < (60 if goal is None else goal)
        self.rows.append({"what": what, "seconds": round(took, 2), "goal": goal, "ok": ok})
        words = "" if goal is None else f"  (goal: {goal:g} s)"
        print(f"{'ok ' if ok else 'NOT'} {what:58} {took:6.2f} s{words}", flush=True)

    def noted(self, what: str, ok: bool) -> None:
        """A claim without a time."""
        self.rows.append({"what": what, "ok": ok})
        print(f"{'ok ' if ok else 'NOT'} {what}", flush=True)

    async def all_at(self, share: float) -> bool:
        """Whether all edges have this share."""
        return {await self.share(edge) for edge in self.edges} == {share}

    async def visit(self, number: int) -> None:
        """One visitor, for ever; whoever's edge was killed goes to another."""
        cookie = {"Cookie": f"banyan_bucket={number:032x}"}
        while True:
            edge = self.edges[number % len(self.edges)]
            try:
                async with self.session.get(f"{edge.url}/things/{number}", headers=cookie) as answer:
                    self.failed += answer.status != 200
                    self.served += 1
            except aiohttp.ClientError:
                self.failed += edge in self.edges
            await asyncio.sleep(0.5)


async def _backend(name: str) -> tuple[web.AppRunner, str]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=name)

    app = web.Application()
    app.router.add_get("/{rest:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}"


def _routing_file(folder: Path, sides: tuple[str, str]) -> Path:
    folder.mkdir()
    file = folder / "routing.yaml"
    file.write_text(
        f"version: 1\nsalt: s\nbackends:\n  legacy: {{urls: ['{sides[0]}']}}\n  python: {{urls: ['{sides[1]}']}}\n"
        f"ramps:\n  quick: {{steps: [10, 50, 100], dwell: 1s, confirm: [100], gates: {_GATES}}}\n"
        "groups:\n  things: {percent: 0, ramp: quick, routes: [GET /things/:id]}\n"
    )
    return file


async def _edge(name: str, file: Path, environ: dict[str, str]) -> Edge:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "banyan.cli", "edge", "--config", str(file), "--access-log", "off"),
        *("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **environ, "BANYAN_REPLICA": name},
    )
    assert process.stdout is not None  # noqa: S101 - for the type checker: it was asked for
    urls = [(await process.stdout.readline()).decode().split()[-1] for _ in range(2)]
    return Edge(name, process, *urls)


async def _run(count: int) -> list[dict[str, Any]]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        valkey, postgres = ValkeyServer(), PostgresServer()
        await asyncio.to_thread(valkey.start)
        await asyncio.to_thread(postgres.start)
        database = await postgres.create_database("chaos")
        await migrate(database)
        runners, sides = zip(*[await _backend(name) for name in ("legacy", "python")], strict=True)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        chaos = Chaos(session)
        environ = {"BANYAN_REDIS_URL": valkey.url(), "BANYAN_DATABASE_URL": database}
        for number in range(count):
            file = _routing_file(folder / str(number), (sides[0], sides[1]))
            chaos.edges.append(await _edge(f"edge-{number}", file, environ))
        visitors = [asyncio.create_task(chaos.visit(number)) for number in range(_VISITORS)]
        try:
            await _story(chaos, valkey, postgres)
        finally:
            for visitor in visitors:
                visitor.cancel()
            await asyncio.gather(*visitors, return_exceptions=True)
            for edge in chaos.edges:
                edge.process.terminate()
            await asyncio.gather(*(edge.process.wait() for edge in chaos.edges))
            for runner in runners:
                await runner.cleanup()
            await asyncio.to_thread(valkey.stop)
            await asyncio.to_thread(postgres.stop)
        return chaos.rows


async def _story(chaos: Chaos, valkey: ValkeyServer, postgres: PostgresServer) -> None:
    first, last = chaos.edges[0], chaos.edges[-1]

    async def acquainted() -> bool:
        told = [await chaos.ask(edge, "/rollout") for edge in chaos.edges]
        return all(not one["store"] and len(one["replicas"]) == len(chaos.edges) for one in told)

    await chaos.timed("edges know each other", None, acquainted)
    await chaos.ask(first, "/rollout/things/start", {})
    await chaos.timed("ramped to 50 % on all", None, lambda: chaos.all_at(50))
    began = time.monotonic()
    await chaos.ask(last, "/rollout/things/back", {"percent": 10})
    await chaos.timed("a lowered share is agreed", 1, lambda: chaos.all_at(10), began)
    leader = (await chaos.ask(first, "/rollout"))["leader"]
    dead = next(edge for edge in chaos.edges if edge.name == leader)
    chaos.edges.remove(dead)
    began = time.monotonic()
    dead.process.kill()
    await dead.process.wait()

    async def led() -> bool:
        return (await chaos.ask(chaos.edges[0], "/rollout"))["leader"] not in ("", leader)

    await chaos.timed("leader killed: another leads", 5, led, began)
    await chaos.ask(chaos.edges[0], "/rollout/things/start", {})
    await chaos.timed("ramped to 50 % again", None, lambda: chaos.all_at(50))
    failed = chaos.failed
    await asyncio.to_thread(valkey.stop)

    async def away() -> bool:
        return all([(await chaos.ask(edge, "/rollout"))["store"] for edge in chaos.edges])

    await chaos.timed("Valkey killed: edges say so", None, away)
    await asyncio.sleep(3)
    chaos.noted("Valkey killed: no share was raised", await chaos.all_at(50))
    chaos.noted("Valkey killed: no request failed", chaos.failed == failed)
    await chaos.ask(chaos.edges[0], "/rollout/things/back", {"percent": 10})
    chaos.noted("Valkey killed: one edge lowers alone", await chaos.share(chaos.edges[0]) == 10)
    began = time.monotonic()
    await asyncio.to_thread(valkey.restart)
    await chaos.timed("Valkey back, empty: all at the lowest share", None, lambda: chaos.all_at(10), began)
    began = time.monotonic()
    await chaos.ask(chaos.edges[0], "/rollout/things/kill", {})
    await chaos.timed("kill with both there, on all", 1, lambda: chaos.all_at(0), began)
    await chaos.ask(chaos.edges[0], "/rollout/things/unkill", {})
    await chaos.ask(chaos.edges[0], "/rollout/things/start", {})
    await chaos.timed("ramped to 50 % once more", None, lambda: chaos.all_at(50))
    await asyncio.to_thread(valkey.stop)
    await asyncio.to_thread(postgres.stop)
    began = time.monotonic()
    await asyncio.gather(*(chaos.ask(edge, "/rollout/things/kill", {}) for edge in chaos.edges))
    await chaos.timed("kill with Valkey and PostgreSQL away, on all", 1, lambda: chaos.all_at(0), began)
    chaos.noted(
        f"{chaos.served} requests, {chaos.failed} failed, but for those on the killed edge",
        chaos.failed <= 40,
    )


def main() -> int:
    """Run, print, and say by the exit code whether every goal was met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--edges", type=int, default=3, help="how many edges (default 3)")
    parser.add_argument("--json", type=Path, help="write the rows here as well")
    options = parser.parse_args()
    rows = asyncio.run(_run(options.edges))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
