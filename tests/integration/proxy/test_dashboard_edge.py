# SPDX-License-Identifier: AGPL-3.0-or-later
"""The dashboard of a real edge: it shows what runs, and what operators do there happens and is in the journal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.proxy.rollouts import Visitors, routing_file, share, until
from tests.proxytest.backend import always, answer, backends
from tests.proxytest.edge import edge_process

TOKENS = {"BANYAN_ADMIN_TOKENS": "ana=ana-token-1,ben=ben-token-2"}
BEARER = {"Authorization": "Bearer ben-token-2"}


async def test_an_operator_sees_and_steers_a_rollout(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        legacy.script = python.script = always(answer(b'{"a": 1}'))
        file = routing_file(tmp_path, legacy.url, python.url)
        async with (
            edge_process(file, "--access-log", "off") as edge,
            Visitors([edge.port]),
            aiohttp.ClientSession(edge.admin_url) as browser,
        ):

            async def page(path: str) -> Any:
                async with browser.get(f"/dashboard/{path}") as got:
                    assert got.status == 200, await got.text()
                    return await (got.json() if path.endswith(".json") else got.text())

            async def act(action: str) -> int:
                token = re.search(r'name="csrf" value="(\w+)"', await page("units/things"))
                assert token is not None
                form = {"csrf": token[1], "unit": "things", "action": action, "reason": "a test"}
                async with browser.post("/dashboard/act", data=form, allow_redirects=False) as got:
                    return got.status

            assert await act("start") == 303
            assert await act("unkill") == 409

            async def half() -> bool:
                return await share(edge) >= 50

            await until(half, "50 %")

            async def counted() -> bool:
                (row,) = (await page("overview.json"))["units"]
                return bool(row["new"]["rate"] > 0 and row["new"]["p95_ms"])

            await until(counted, "figures of the new side")
            assert await act("kill") == 303
            (row,) = (await page("overview.json"))["units"]
            assert (row["phase"], row["share"]) == ("killed", 0)
            told = await page("units/things.json")
            assert (told["journal"][0]["event"], told["journal"][0]["by"]) == ("kill", "local")
            assert {one["route"] for one in told["routes"]} == {"GET /things/:id"}
            assert "a test" in await page("units/things")
            endpoint = await page("routes/GET%20%2Fthings%2F:id.json")
            assert endpoint["statuses"][0][0] == "2xx"
            assert (await page("config.json"))["generation"] >= 1
            (only,) = (await page("replicas.json"))["replicas"]
            assert only["agrees"]
            file.write_text(file.read_text().replace("percent: 0", "percent: 140"))

            async def refused() -> bool:
                return bool((await page("config.json"))["rejected"])

            await until(refused, "a rejected file")
            assert "refused" in await page("config")


async def test_named_tokens_stand_in_the_journal(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        file = routing_file(tmp_path, legacy.url, python.url)
        async with edge_process(file, "--access-log", "off", environ=TOKENS) as edge:
            assert (await edge.admin("/rollout"))["error"] == "unauthorized"
            started = await edge.admin(
                "/rollout/things/start", method="POST", json={"by": "somebody else"}, headers=BEARER
            )
            assert started["after"]["by"] == "ben"
            async with aiohttp.ClientSession(edge.admin_url) as browser:
                async with browser.get("/dashboard/overview.json") as got:
                    assert got.status == 401
                async with browser.post("/dashboard/act", data={"unit": "things", "action": "kill"}) as got:
                    assert got.status == 401
                async with browser.get("/dashboard/overview.json", headers=BEARER) as got:
                    assert got.status == 200
        assert any("action refused" in line for line in edge.errors)


async def test_a_malformed_list_of_tokens_is_refused_at_the_start(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        file = routing_file(tmp_path, legacy.url, python.url)
        with pytest.raises(AssertionError, match="name=token"):
            async with edge_process(file, environ={"BANYAN_ADMIN_TOKENS": "ana"}):
                pass
