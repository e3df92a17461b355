# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan edge` as an operator runs it: reloads, signals, deaths, the admin port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.proxytest.backend import Asked, ScriptedBackend, always, answer, backends
from tests.proxytest.client import connect, fetch, get
from tests.proxytest.edge import EdgeProcess, edge_process, routing
from tests.proxytest.waiting import until

GROUP = "moving: {{percent: {percent}, routes: [GET /moving, GET /moving/:id]}}"


class Setting:
    """An edge process, its file and its two sides."""

    def __init__(
        self, edge: EdgeProcess, file: Path, legacy: ScriptedBackend, python: ScriptedBackend
    ) -> None:
        self.edge = edge
        self.file = file
        self.legacy = legacy
        self.python = python

    def write(self, percent: float, *, groups: str = "") -> None:
        """Replace the file as an editor does: at once."""
        text = routing(self.legacy.url, self.python.url, groups or GROUP.format(percent=percent))
        fresh = self.file.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.file)


@contextlib.asynccontextmanager
async def setting(folder: Path, *arguments: str) -> AsyncIterator[Setting]:
    async with backends("legacy", "python") as (legacy, python):
        file = folder / "routing.yaml"
        file.write_text(routing(legacy.url, python.url, GROUP.format(percent=0)))
        async with edge_process(file, "--access-log", str(folder / "access.log"), *arguments) as edge:
            yield Setting(edge, file, legacy, python)


async def test_an_edit_is_picked_up_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    async with setting(tmp_path) as here:
        assert (await fetch(here.edge.port, get("/moving"))).body == b"legacy"
        here.write(100)
        async with asyncio.timeout(10):
            while (await fetch(here.edge.port, get("/moving"))).body != b"python":
                await asyncio.sleep(0.05)
        good = here.file.read_text()
        here.file.write_text(good.replace("percent: 100", "percent: 101"))
        async with asyncio.timeout(10):
            while (rejected := (await here.edge.admin("/config"))["rejected"]) is None:
                await asyncio.sleep(0.05)
        (error,) = rejected["errors"]
        assert error["code"] == "out-of-range"
        assert error["line"] == good[: good.index("percent: 100")].count("\n") + 1
        assert error["column"] > 1
        assert error["remedy"]
        assert (await fetch(here.edge.port, get("/moving"))).body == b"python"
        assert (await here.edge.admin("/ready"))["generation"] == 2
        assert "banyan_edge_config_rejected 1" in await _metrics(here.edge)
        assert any(
            '"configuration rejected"' in line and '"out-of-range"' in line for line in here.edge.errors
        )
        here.file.write_text(good)
        async with asyncio.timeout(10):
            while (await here.edge.admin("/config"))["rejected"] is not None:
                await asyncio.sleep(0.05)


async def _metrics(edge: EdgeProcess) -> str:
    async with aiohttp.ClientSession() as session, session.get(edge.admin_url + "/metrics") as got:
        assert got.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return await got.text()


async def test_a_thousand_reloads_under_load_harm_nobody(tmp_path: Path) -> None:
    """Nothing fails, no request sees two generations, an open WebSocket and a running download survive."""
    async with setting(tmp_path, "--workers", "2") as here:
        download = 100_000_000
        last_generation = 0

        async def script(asked: Asked, reader: Reader, writer: Writer) -> None:
            if asked.target == b"/cable":
                writer.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
                )
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
            elif asked.target == b"/download":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % download)
                sent = 0
                while sent < download:
                    # Slow enough to last until the reloads are over, then as fast as it goes.
                    size = 20_000 if last_generation < 1000 else 1_000_000
                    writer.write(b"d" * min(size, download - sent))
                    sent += size
                    await writer.drain()
                    await asyncio.sleep(0.005 if last_generation < 1000 else 0)
            else:
                writer.write(answer(b"legacy"))

        here.legacy.script = script
        stop = asyncio.Event()
        seen: Counter[bytes] = Counter()

        async def visit() -> None:
            async with connect(here.edge.port) as client:
                while not stop.is_set():
                    got = await client.ask(get("/moving/7", "Cookie: banyan_bucket=" + "a" * 32))
                    assert got.status == 200
                    seen[got.body] += 1

        async def fetch_all() -> int:
            async with connect(here.edge.port) as client:
                await client.send(get("/download"))
                await client.reader.readuntil(b"\r\n\r\n")
                return len(await client.reader.readexactly(download))

        async with connect(here.edge.port) as socket_client:
            await socket_client.send(
                get(
                    "/cable",
                    *("Connection: Upgrade", "Upgrade: websocket"),
                    *("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
                )
            )
            assert (await socket_client.answer()).status == 101
            visitors = [asyncio.create_task(visit()) for _ in range(4)]
            downloading = asyncio.create_task(fetch_all())
            async with aiohttp.ClientSession() as session:
                for number in range(1000):
                    here.write(100 if number % 2 == 0 else 0)
                    async with session.post(here.edge.admin_url + "/reload") as got:
                        outcome = await got.json()
                    assert outcome["ok"], outcome
                    last_generation = number + 1
                    if number % 100 == 0:
                        await socket_client.send(b"still there?")
                        assert await socket_client.reader.readexactly(12) == b"still there?"
            stop.set()
            await asyncio.gather(*visitors)
            assert await asyncio.wait_for(downloading, 60) == download
        assert (await here.edge.admin("/ready"))["generation"] == 1001
        assert min(seen[b"legacy"], seen[b"python"]) > 100
        await until(lambda: _lines(tmp_path) >= sum(seen.values()) + 2)
        for line in (tmp_path / "access.log").read_text().splitlines():
            entry = json.loads(line)
            if entry["group"]:
                # An even generation is one at 100 %: route, share and side belong to the same.
                assert entry["side"] == ("python" if entry["generation"] % 2 == 0 else "legacy")


def _lines(folder: Path) -> int:
    return (folder / "access.log").read_text().count("\n")


async def test_sigterm_loses_no_request(tmp_path: Path) -> None:
    async with setting(tmp_path, "--workers", "2", "--drain-seconds", "10") as here:

        async def slowly(_asked: Asked, _reader: Reader, writer: Writer) -> None:
            await asyncio.sleep(0.02)
            writer.write(answer(b"ok"))

        here.legacy.script = slowly
        answered = 0

        async def visit() -> None:
            nonlocal answered
            while True:
                try:
                    client = connect(here.edge.port)
                    async with client as connection:
                        while True:
                            got = await connection.ask(get("/"))
                            assert got.status == 200
                            answered += 1
                            if got.value(b"connection") == b"close":
                                break
                except ConnectionRefusedError:
                    return

        visitors = [asyncio.create_task(visit()) for _ in range(20)]
        await until(lambda: answered > 200)
        here.edge.process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(asyncio.gather(*visitors), 20)
        assert await asyncio.wait_for(here.edge.process.wait(), 20) == 0


async def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    async with setting(tmp_path) as here:
        (worker,) = (await here.edge.admin("/config"))["workers"]
        await fetch(here.edge.port, get("/moving"))
        await asyncio.sleep(1.5)  # the parent counts once a second
        os.kill(worker["pid"], signal.SIGKILL)
        async with asyncio.timeout(15):
            while True:
                with contextlib.suppress(ConnectionError, AssertionError, asyncio.IncompleteReadError):
                    if (await fetch(here.edge.port, get("/moving"))).body == b"legacy":
                        break
                await asyncio.sleep(0.05)
        (fresh,) = (await here.edge.admin("/config"))["workers"]
        assert fresh["pid"] != worker["pid"]
        metrics = await _metrics(here.edge)
        assert "banyan_edge_worker_restarts_total 1" in metrics
        assert (
            'banyan_edge_requests_total{route="GET /moving",group="moving",side="legacy",status="2xx"} 2'
            in metrics
        )


async def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    async with setting(tmp_path, "--drain-seconds", "2") as here:
        (worker,) = (await here.edge.admin("/config"))["workers"]
        here.edge.process.kill()
        await here.edge.process.wait()

        def gone() -> bool:
            try:
                return Path(f"/proc/{worker['pid']}/stat").read_text().split()[2] == "Z"
            except FileNotFoundError:
                return True

        await until(gone)


async def test_the_log_is_reopened_and_sighup_reloads(tmp_path: Path) -> None:
    async with setting(tmp_path) as here:
        log = tmp_path / "access.log"
        await fetch(here.edge.port, get("/moving"))
        await until(lambda: "GET /moving" in log.read_text())
        log.rename(tmp_path / "old.log")
        here.edge.process.send_signal(signal.SIGUSR1)
        await until(log.exists)
        await fetch(here.edge.port, get("/moving/1"))
        await until(lambda: "GET /moving/:id" in log.read_text())
        here.write(100)
        here.edge.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(10):
            while (await here.edge.admin("/ready"))["generation"] != 2:
                await asyncio.sleep(0.05)


async def test_what_the_admin_port_says(tmp_path: Path) -> None:
    async with setting(tmp_path) as here:
        here.write(100)
        assert (await here.edge.admin("/reload", method="POST"))["generation"] == 2
        await fetch(here.edge.port, get("/moving/3"))
        admin = here.edge.admin
        assert await admin("/health") == {"status": "ok"}
        assert await admin("/ready") == {"ready": True, "generation": 2}
        routes = (await admin("/routes"))["routes"]
        assert routes[1]["route"] == "GET /moving/:id"
        assert (routes[1]["group"], routes[1]["percent"]) == ("moving", 100)
        explained = await admin("/explain?method=GET&path=/moving/9&user=42")
        assert (explained["side"], explained["group"], explained["reason"]) == ("python", "moving", "share")
        assert 0 <= explained["bucket"] < 10_000
        both = await admin("/explain", method="POST", json=[{"path": "/moving", "user": 1}, {"path": "/x"}])
        assert [one["side"] for one in both] == ["python", "legacy"]
        async with asyncio.timeout(10):
            while (
                "moving" not in (stats := await admin("/stats"))["groups"]
                or not stats["groups"]["moving"]["sides"]
            ):
                await asyncio.sleep(0.1)
        assert stats["groups"]["moving"]["sides"]["python"]["requests"] == 1
        for path, wrong in (("/explain?path=/&nothing=1", 400), ("/stats?window=x", 400), ("/nowhere", 404)):
            async with aiohttp.ClientSession() as session, session.get(here.edge.admin_url + path) as got:
                assert got.status == wrong
                assert set(await got.json()) == {"error", "message"}


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.test"}, {"Origin": "http://evil.test"}, {"Origin": "null"}, {"Host": "127.0.0.1:x"}],
)
async def test_a_post_from_elsewhere_is_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    async with setting(tmp_path) as here, aiohttp.ClientSession() as session:
        async with session.post(here.edge.admin_url + "/reload", headers=headers) as got:
            assert got.status in (400, 403)
        async with session.post(
            here.edge.admin_url + "/reload", headers={"Origin": here.edge.admin_url}
        ) as got:
            assert got.status == 200


async def test_a_token_guards_everything_but_health(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        file = tmp_path / "routing.yaml"
        file.write_text(routing(legacy.url, python.url))
        environ = {"BANYAN_ADMIN_TOKEN": "open-sesame"}
        async with edge_process(file, "--access-log", "off", environ=environ) as edge:
            async with aiohttp.ClientSession() as session:
                for path, status in (("/health", 200), ("/ready", 200), ("/metrics", 401), ("/routes", 401)):
                    async with session.get(edge.admin_url + path) as got:
                        assert got.status == status
            for token, known in (("open-sesame", True), ("wrong", False)):
                answered = await edge.admin("/config", headers={"Authorization": f"Bearer {token}"})
                assert ("generation" in answered) is known


async def test_beyond_loopback_the_admin_port_wants_a_token(tmp_path: Path) -> None:
    file = tmp_path / "routing.yaml"
    file.write_text(routing("http://127.0.0.1:1", "http://127.0.0.1:1"))
    code, said = await _run_edge(file, "--admin", "0.0.0.0:0")
    assert code == 2
    assert "BANYAN_ADMIN_TOKEN" in said


async def test_a_broken_file_or_a_taken_port_is_said_clearly(tmp_path: Path) -> None:
    file = tmp_path / "routing.yaml"
    file.write_text(
        "version: 1\nsalt: x\nbackends: {legacy: {urls: [nonsense]}}\ngroups: {a: {percent: 7}}\n"
    )
    code, said = await _run_edge(file)
    assert code == 2
    assert f"{file}:3:" in said
    assert "bad-url" in said
    assert f"{file}:4:" in said
    assert "Traceback" not in said
    async with backends("taken") as (taken,):
        file.write_text(routing("http://127.0.0.1:1", "http://127.0.0.1:1"))
        code, said = await _run_edge(file, "--listen", f"127.0.0.1:{taken.port}")
    assert code == 2
    assert "cannot listen" in said


async def _run_edge(file: Path, *arguments: str) -> tuple[int | None, str]:
    """Start an edge that cannot start: (exit code, stderr)."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "banyan.cli", "edge", "--config", str(file)),
        *("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", *arguments),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, said.decode()


async def test_a_backend_that_fails_its_health_checks_is_spared(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        file = tmp_path / "routing.yaml"
        text = routing(legacy.url, python.url, GROUP.format(percent=100))
        health = "{path: /up, interval: 0.1s, timeout: 1s, fall: 2, rise: 1}"
        file.write_text(text.replace(f"['{python.url}']", f"['{python.url}'], health: {health}"))
        async with edge_process(file, "--access-log", "off") as edge:
            assert (await fetch(edge.port, get("/moving"))).body == b"python"
            python.script = always(answer(b"sick", b"503 Service Unavailable"))
            async with asyncio.timeout(10):
                while (await edge.admin("/explain?path=/moving&user=1"))["reason"] != "unhealthy":
                    await asyncio.sleep(0.05)
            assert (await fetch(edge.port, get("/moving"))).body == b"legacy"
            python.script = None
            async with asyncio.timeout(10):
                while (await fetch(edge.port, get("/moving"))).body != b"python":
                    await asyncio.sleep(0.05)


async def test_an_explanation_knows_what_the_workers_circuits_say(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        file = tmp_path / "routing.yaml"
        quick = "breaker: {failures: 3, window: 1m, rest: 100ms}"
        file.write_text(routing(legacy.url, python.url, GROUP.format(percent=100), backend=quick))
        async with edge_process(file, "--access-log", "off", "--workers", "2") as edge:

            async def explained(reason: str) -> str:
                async with asyncio.timeout(10):
                    while (told := await edge.admin("/explain?path=/moving&user=1"))["reason"] != reason:
                        await asyncio.sleep(0.05)
                (same,) = await edge.admin("/explain", method="POST", json=[{"path": "/moving", "user": 1}])
                assert same == told
                return str(told["side"])

            assert await explained("share") == "python"
            await python.stop()
            assert (await fetch(edge.port, get("/moving"))).body == b"legacy"
            assert await explained("unhealthy") == "legacy"
            await python.start()
            async with asyncio.timeout(10):
                while (await fetch(edge.port, get("/moving"))).body != b"python":
                    await asyncio.sleep(0.05)
