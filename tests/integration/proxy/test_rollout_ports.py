# SPDX-License-Identifier: AGPL-3.0-or-later
"""Stores, journals and web hooks as they really are: each implementation keeps what the port promises."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from banyan.embedded import PostgresServer, ValkeyServer
from banyan.migrations import migrate
from proxy.app.announce import Announcer
from proxy.rollout.evidence import Proof, Traffic
from proxy.rollout.files import FileJournal, StateFile
from proxy.rollout.memory import MemoryJournal, MemoryStore
from proxy.rollout.phases import Phase
from proxy.rollout.ports import Entry, Heartbeat, Journal, Notice, Store, UnavailableError
from proxy.rollout.postgres_journal import PostgresJournal
from proxy.rollout.redis_store import RedisStore
from proxy.rollout.state import State
from proxy.rollout.verdict import Outcome, Verdict
from tests.proxytest.waiting import until
from tests.unit.proxy.rollout.evidences import side

NOWHERE = "127.0.0.1:9"


def state(share: float, version: int) -> State:
    return State("u", Phase.RAMPING, share, version=version, build="b1", confirmed=10.0)


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest, valkey: ValkeyServer) -> AsyncIterator[Store]:
    made: Store
    if request.param == "memory":
        made = MemoryStore(time.time)
    else:
        made = RedisStore(valkey.url(), prefix=f"test:{os.urandom(6).hex()}:")
    yield made
    await made.close()


async def test_a_state_is_replaced_by_whoever_knows_the_last_one(store: Store) -> None:
    assert not (await store.load()).seeded
    assert await store.seed({"v": state(50, 3)})
    assert not await store.seed({"v": state(1, 1)}), "only the first fills an empty store"
    assert await store.put(state(1, 1), -1)
    assert not await store.put(state(10, 2), -1)
    assert await store.put(state(10, 2), 1)
    assert not await store.put(state(50, 3), 1)
    await store.freeze(True)
    shared = await store.load()
    assert (shared.states["u"], shared.states["v"].share, shared.frozen, shared.seeded) == (
        state(10, 2),
        50,
        True,
        True,
    )


async def test_one_leads_at_a_time(store: Store) -> None:
    assert await store.leader() == ""
    assert await store.lead("a")
    assert not await store.lead("b")
    assert await store.lead("a")
    assert await store.leader() == "a"


async def test_replicas_tell_of_themselves_and_of_what_they_served(store: Store) -> None:
    beat = Heartbeat("a", time.time(), 3, {"g": 1.0}, {"u": state(1, 1)})
    await store.report(beat)
    assert await store.replicas() == [beat]
    for name, epoch in (("a", 4), ("b", 4), ("c", 3)):
        await store.give(name, "u", epoch, {"g": Traffic(side(90, 1), side(10, 2))})
    found = await store.gather("u", 4)
    assert [part["g"].new.errors for part in found] == [(2, 10)] * 2
    assert found[0]["g"].old.users == pytest.approx(side(90).users)


async def test_changes_are_pushed(store: Store) -> None:
    changes = 0

    async def follow() -> None:
        nonlocal changes
        async for _ in store.follow():
            changes += 1

    following = asyncio.create_task(follow())
    try:
        # Whoever subscribes late is told once that there may be something; then of each change.
        async with asyncio.timeout(10):
            version = 0
            while changes < 2:
                assert await store.put(state(1, version), version - 1)
                version += 1
                await asyncio.sleep(0.01)
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following


async def test_a_redis_that_is_away_is_unavailable() -> None:
    store = RedisStore(f"redis://{NOWHERE}/0")
    with pytest.raises(UnavailableError, match="Redis"):
        await store.load()
    await store.close()


@pytest.fixture(params=["memory", "file", "postgres"])
async def journal(
    request: pytest.FixtureRequest, postgres: PostgresServer, tmp_path: Path
) -> AsyncIterator[Journal]:
    if request.param == "memory":
        yield MemoryJournal()
    elif request.param == "file":
        yield FileJournal(tmp_path / "routing.yaml.journal")
    else:
        name = f"journal_{os.getpid()}_{os.urandom(3).hex()}"
        url = await postgres.create_database(name)
        await migrate(url)
        made = PostgresJournal(url)
        yield made
        await made.close()
        await postgres.drop_database(name)


async def test_lines_come_back_as_they_were_written(journal: Journal) -> None:
    verdict = Verdict("errors", Outcome.PASS, "fine", 0.1, -0.1, 0.3, 0.4, "points", "g")
    lines = [
        Entry(1_700_000_000.25, "u", "advance", "gates", "good", 0, 1, "b1", "a", state(1, 1), (verdict,)),
        Entry(1_700_000_001.5, "v", "proof", "ci", "green", proof=Proof("replay", "b1", True, 1.5, 7, "ci")),
        Entry(1_700_000_002.5, "u", "advance", "gates", "ünïcode", 1, 12.34, "b1", "a", state(12.34, 2)),
    ]
    for line in lines:
        await journal.append(line)
    assert await journal.read(None, 10) == lines[::-1]
    assert await journal.read("u", 1) == [lines[2]]
    assert await journal.latest() == {"u": state(12.34, 2)}


async def test_a_journal_that_is_away_or_not_migrated_is_unavailable(postgres: PostgresServer) -> None:
    away = PostgresJournal(f"postgres://nobody@{NOWHERE}/nowhere")
    with pytest.raises(UnavailableError, match="PostgreSQL"):
        await away.latest()
    empty = PostgresJournal(postgres.url())
    with pytest.raises(UnavailableError, match="banyan migrate"):
        await empty.latest()
    await empty.close()


async def test_a_file_journal_forgives_half_a_line(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "journal")
    await journal.append(Entry(1.0, "u", "start", "kim", ""))
    with (tmp_path / "journal").open("ab") as file:
        file.write(b'{"at": 2.0, "un')
    assert len(await journal.read(None, 10)) == 1


def test_a_state_file_keeps_and_forgives(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state")
    assert file.read() is None
    file.write({"u": state(10, 2)}, True)
    kept = file.read()
    assert kept is not None
    assert (kept.states, kept.frozen) == ({"u": state(10, 2)}, True)
    (tmp_path / "state").write_text("{")
    assert file.read() is None
    assert file.problem
    with pytest.raises(UnavailableError):
        StateFile(tmp_path / "no" / "state").write({}, False)


async def test_hooks_are_tried_again_and_block_nobody() -> None:
    got: list[Notice] = []
    refusals = iter((500, 503))

    async def hook(request: web.Request) -> web.Response:
        status = next(refusals, 200)
        if status == 200:
            got.append(msgspec.json.decode(await request.read(), type=Notice))
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/hook", hook)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    announcer = Announcer(pauses=(0, 0, 0))
    announcer.configure([f"http://127.0.0.1:{port}/hook", f"http://{NOWHERE}/dead"])
    notice = Notice("kill", "u", ("g",), 1.0, "kim", "why", 50, 0, "killed", "a")
    for _ in range(130):
        announcer.tell(notice)  # more than a line holds, to an address that never answers
    await until(lambda: len(got) >= 100 and announcer.counted["failed"] >= 100)
    assert got[0] == notice
    assert announcer.counted["dropped"] == 60
    await announcer.close()
    await runner.cleanup()
