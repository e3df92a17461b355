# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real edges under a rollout: alone, restarted, and three of them on one Valkey and one journal."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from banyan.embedded import PostgresServer, ValkeyServer
from banyan.migrations import migrate
from tests.integration.proxy.rollouts import RAMPS, Visitors, order, routing_file, share, unit, until
from tests.proxytest.backend import always, answer, backends
from tests.proxytest.edge import EdgeProcess, edge_process

BROKEN = always(answer(b"no", b"500 Internal Server Error"))


async def banyan(*arguments: str) -> tuple[int, str, str]:
    """Run the command; exit code, output, errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "banyan.cli", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200"},
    )
    out, errors = await process.communicate()
    return process.returncode or 0, out.decode(), errors.decode()


async def test_a_good_new_side_gets_everybody_and_a_broken_one_nobody(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        file = routing_file(tmp_path, legacy.url, python.url)
        async with edge_process(file, "--access-log", "off") as edge, Visitors([edge.port]) as visitors:
            code, out, _ = await banyan(
                "rollout", "start", "things", "--admin", edge.admin_url, "--by", "kim"
            )
            assert (code, out) == (0, "things is now shadow at 0 % (it was legacy at 0 %)\n")

            async def half() -> bool:
                return await share(edge) >= 50

            await until(half, "50 %")
            assert visitors.answers.keys() == {200}
            told = await edge.admin("/explain", params={"path": "/things/1", "user": "7"})
            assert told["phase"] in ("ramping", "holding", "soaking", "full")
            python.script = BROKEN

            async def nobody() -> bool:
                return await share(edge) == 0

            await until(nobody, "a rollback")
            one = await unit(edge)
            assert (one["phase"], one["share"]) == ("rolled_back", 0)
            await asyncio.sleep(0)
            visitors.answers.clear()
            served = len(python.asked)

            async def many() -> bool:
                return sum(visitors.answers.values()) > 300

            await until(many, "more visits")
            assert len(python.asked) - served <= 4, "nobody is sent there any more, but who was on the way"
            code, out, _ = await banyan("history", "things", "--admin", edge.admin_url, "--json")
            events = [entry["event"] for entry in json.loads(out)]
            assert events[-1] == "start"
            assert "fail" in events
            assert events.count("advance") == 2


async def test_can_i_shift_answers_by_its_exit_code(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        groups = (
            "live: {percent: 0, ramp: quick, routes: [GET /live/:id]}\n"
            "compared: {percent: 0, ramp: careful, routes: [GET /compared/:id]}"
        )
        more = f"{RAMPS}\n  careful: {{steps: [1, 100]}}"
        file = routing_file(tmp_path, legacy.url, python.url, groups=groups, more=more)
        async with edge_process(file, "--access-log", "off") as edge:
            for group, percent, code, word in (
                ("live", "10", 0, "Yes"),
                ("live", "100", 1, "No"),
                ("compared", "1", 3, "Not enough evidence"),
                ("nobody", "1", 1, ""),
            ):
                got, out, errors = await banyan("can-i-shift", group, percent, "--admin", edge.admin_url)
                assert got == code, (out, errors)
                assert out.startswith(word)
        code, _, errors = await banyan("can-i-shift", "live", "10", "--admin", edge.admin_url)
        assert (code, "no edge answers" in errors) == (2, True)


async def test_a_kill_outlives_a_restart(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        file = routing_file(
            tmp_path,
            legacy.url,
            python.url,
            groups="things: {percent: 40, routes: [GET /things/:id]}",
            more="",
        )
        async with edge_process(file, "--access-log", "off") as edge:
            code, out, _ = await banyan("rollout", "kill", "things", "--admin", edge.admin_url, "--dry-run")
            assert (code, out) == (0, "things would be killed at 0 % (it was paused at 40 %)\n")
            assert await share(edge) == 40
            await order(edge, "kill")
            assert await share(edge) == 0
        async with edge_process(file, "--access-log", "off") as edge:
            assert await share(edge) == 0
            _, out, _ = await banyan("rollout", "status", "--admin", edge.admin_url)
            assert "things  killed            0 %" in out
            await order(edge, "unkill")
            await order(edge, "start")
            assert await share(edge) == 40


async def test_three_edges_agree_and_outlive_leader_and_store(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    database = await postgres.create_database(f"rollout_{os.getpid()}")
    await migrate(database)
    valkey = await asyncio.to_thread(ValkeyServer().__enter__)
    async with AsyncExitStack() as stack:
        legacy, python = await stack.enter_async_context(backends("legacy", "python"))
        edges: list[EdgeProcess] = []
        for number in range(3):
            folder = tmp_path / str(number)
            folder.mkdir()
            environ = {
                "BANYAN_REDIS_URL": valkey.url(),
                "BANYAN_DATABASE_URL": database,
                "BANYAN_REPLICA": f"edge-{number}",
            }
            asks = RAMPS.replace("soak: 1s", "soak: 1s, confirm: [100]")
            file = routing_file(folder, legacy.url, python.url, more=asks)
            edges.append(
                await stack.enter_async_context(edge_process(file, "--access-log", "off", environ=environ))
            )
        visitors = await stack.enter_async_context(Visitors([edge.port for edge in edges]))

        async def agreed() -> set[float]:
            return {await share(edge) for edge in edges}

        async def seeded() -> bool:
            told = [await edge.admin("/rollout") for edge in edges]
            return all(not one["store"] and len(one["replicas"]) == 3 for one in told)

        await until(seeded, "three edges that know each other")
        await order(edges[1], "start")

        async def risen() -> bool:
            return min(await agreed()) >= 50

        await until(risen, "50 % on all")
        leader = (await edges[0].admin("/rollout"))["leader"]
        dead = edges.pop(int(leader.rpartition("-")[2]))
        visitors._ports.remove(dead.port)
        dead.process.kill()
        await dead.process.wait()

        async def led() -> bool:
            return (await edges[0].admin("/rollout"))["leader"] not in ("", leader)

        await until(led, "another leader")
        before = await agreed()
        await asyncio.to_thread(valkey.stop)

        async def away() -> bool:
            return all([(await edge.admin("/rollout"))["store"] for edge in edges])

        await until(away, "edges that say that the store is away")
        assert max(await agreed()) <= max(before)
        for edge in edges:
            done = await order(edge, "kill")
            assert done["pending"]
        assert await agreed() == {0}
        assert visitors.answers.keys() == {200}
        entries = await edges[0].admin("/rollout-history")
        raises = [entry for entry in entries if entry["share_to"] > entry["share_from"]]
        assert {entry["by"] for entry in raises} == {"gates"}
        assert all(entry["evidence"] for entry in raises)
    await postgres.drop_database(f"rollout_{os.getpid()}")
