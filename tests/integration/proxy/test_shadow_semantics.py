# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is asked, with what, and what an outcome says; through a real edge."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

from tests.proxytest.backend import Asked, always, answer, backends
from tests.proxytest.client import connect, fetch, get
from tests.proxytest.edge import routing
from tests.proxytest.shadow import PLENTY, shadowing_edge

JSON = b"Content-Type: application/json\r\n"


async def test_after_the_cut_over_the_old_side_is_asked(tmp_path: Path) -> None:
    groups = "things: {percent: 100, shadow: 100, routes: [GET /things]}"
    async with backends("legacy", "python") as (legacy, python):
        legacy.script = always(answer(b'{"a":1}', headers=JSON))
        python.script = always(answer(b'{"a":2}', headers=JSON))
        async with shadowing_edge(tmp_path, legacy.url, python.url, groups) as edge:
            assert (await fetch(edge.port, get("/things"))).body == b'{"a":2}'
            assert await edge.until_compared(1) == {"mismatch": 1}
            (endpoint,) = (await edge.comparisons())["endpoints"]
            (sample,) = endpoint["findings"][0]["samples"]
            # Control is the old side whoever served.
            assert (sample["control"], sample["candidate"], sample["served"]) == (1, 2, "python")
        assert len(legacy.asked) == 1


async def test_conditions_are_not_repeated_and_a_304_is_no_match(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        legacy.script = always(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n')
        async with shadowing_edge(tmp_path, legacy.url, python.url) as edge:
            await fetch(edge.port, get("/things", 'If-None-Match: "a"'))
            assert await edge.until_compared(1) == {"not_comparable not_modified": 1}
            legacy.script = None
            python.script = always(answer(b"legacy"))
            await fetch(edge.port, get("/things", 'If-None-Match: "b"', "Range: bytes=0-3"))
            assert (await edge.until_compared(2))["match"] == 1
        assert python.asked[-1].header(b"if-none-match") == []
        assert python.asked[-1].header(b"range") == []


async def test_compressed_answers_are_compared_as_what_they_say(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        encoded = JSON + b"Content-Encoding: gzip\r\n"
        legacy.script = always(answer(gzip.compress(b'{"a": 1}', 9), headers=encoded))
        python.script = always(answer(gzip.compress(b'{"a": 1}', 1), headers=encoded))
        async with shadowing_edge(tmp_path, legacy.url, python.url) as edge:
            await fetch(edge.port, get("/things", "Accept-Encoding: gzip, br"))
            assert await edge.until_compared(1) == {"match": 1}
            legacy.script = always(answer(b"\x1b\x00", headers=JSON + b"Content-Encoding: br\r\n"))
            await fetch(edge.port, get("/things", "Accept-Encoding: gzip, br"))
            assert (await edge.until_compared(2))["not_comparable encoding"] == 1


async def test_an_answer_that_follows_a_write_is_raced(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        async with shadowing_edge(tmp_path, legacy.url, python.url) as edge, connect(edge.port) as client:
            await client.ask(get("/things/7"))
            await client.ask(get("/things", method="POST"))
            await client.ask(get("/things/7"))
            found = await edge.until_compared(2)
            # Even the first may have been answered by the other side after the write had begun.
            assert found["not_comparable raced"] >= 1
        assert [one.message.start.split()[0] for one in python.asked] == [b"GET"] * 2


async def test_a_client_cannot_mark_its_requests(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        async with shadowing_edge(tmp_path, legacy.url, python.url) as edge:
            await fetch(edge.port, get("/things", "X-Banyan-Shadow: 1"))
            await edge.until_compared(1)
        assert legacy.asked[0].header(b"x-banyan-shadow") == []
        assert len(python.asked) == 1


async def test_a_loop_ends_at_once(tmp_path: Path) -> None:
    groups = "things: {percent: 0, shadow: 100, routes: [GET /things]}"
    async with backends("legacy") as (legacy,):
        async with shadowing_edge(tmp_path, legacy.url, legacy.url, groups) as edge:
            more = "shadowing: {noise: 0/s}"
            itself = f"http://127.0.0.1:{edge.port}"
            await edge.reload(routing(legacy.url, itself, groups, more, backend=PLENTY))
            await fetch(edge.port, get("/things"))
            assert await edge.until_compared(1) == {"error_one_side": 1}
            assert await edge.counted("banyan_edge_refused_total", 'code="shadow_loop"') == 1
        assert len(legacy.asked) == 1


async def test_a_client_that_leaves_early_leaves_nothing_to_compare(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        legacy.script = always(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        async with shadowing_edge(tmp_path, legacy.url, python.url) as edge:
            async with connect(edge.port) as client:
                await client.send(get("/things"))
                async with asyncio.timeout(10):
                    await client.reader.readuntil(b"half")
                client.vanish()
            assert await edge.until_compared(1) == {"not_comparable cancelled": 1}


async def test_what_keeps_a_visitor_is_not_repeated(tmp_path: Path) -> None:
    more = "shadowing: {noise: 0/s}\ndefaults: {keep_on_legacy: {query: [token]}}"
    async with backends("legacy", "python") as (legacy, python):
        async with shadowing_edge(tmp_path, legacy.url, python.url, more=more) as edge:
            await fetch(edge.port, get("/things?token=x"))
            await edge.until_counted(1, "banyan_edge_shadow_dropped_total", 'reason="kept"')
        assert python.asked == []


async def test_the_budget_holds_and_what_it_refuses_is_an_outcome(tmp_path: Path) -> None:
    async with backends("legacy", "python") as (legacy, python):
        python.script = always(answer(b"legacy"))
        backend = "shadow: {rate: 1/m, concurrency: 1}"
        async with shadowing_edge(tmp_path, legacy.url, python.url, backend=backend) as edge:
            async with connect(edge.port) as client:
                for _ in range(10):
                    await client.ask(get("/things"))
            assert await edge.until_compared(10) == {"match": 1, "not_comparable budget": 9}
        assert len(python.asked) == 1


async def test_noise_is_learned_from_the_old_side_alone(tmp_path: Path) -> None:
    count = 0

    async def clock(_asked: Asked, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        writer.write(answer(b'{"at":"2026-01-01T00:00:%02dZ","name":"a"}' % count, headers=JSON))

    async with backends("legacy", "python") as (legacy, python):
        legacy.script = python.script = clock
        more = "shadowing: {noise: 1000/s}"
        async with shadowing_edge(tmp_path, legacy.url, python.url, more=more) as edge:
            async with connect(edge.port) as client:
                for _ in range(10):
                    await client.ask(get("/things"))
            await edge.until_compared(10)
            async with asyncio.timeout(20):
                while (
                    not (noise := (await edge.comparisons())["endpoints"][0]["noise"])
                    or noise[0]["pairs"] < 10
                ):
                    await asyncio.sleep(0.02)
            assert [(one["field"], one["sort"]) for one in noise] == [("/body/at", "timestamp")]
        assert len(legacy.asked) == 20


async def test_secrets_are_in_no_log_metric_or_evidence(tmp_path: Path) -> None:
    planted = ["c00kie-s3cret", "ap1-k3y-s3cret", "b0dy-passw0rd", "0ther-passw0rd", "ann@secret.example"]
    cookie, key, one, other, mail = planted
    async with backends("legacy", "python") as (legacy, python):
        body = '{"password":"%s","email":"%s","n":%d,"api_key":"%s"}'
        legacy.script = always(answer((body % (one, mail, 1, key)).encode(), headers=JSON))
        python.script = always(
            answer(
                (body % (other, "bob@secret.example", 2, one)).encode(),
                headers=JSON + b"Set-Cookie: a=" + other.encode() + b"\r\n",
            )
        )
        async with shadowing_edge(tmp_path, legacy.url, python.url) as edge:
            await fetch(
                edge.port, get(f"/things?api_key={key}", f"Cookie: _loomio={cookie}", f"Authorization: {one}")
            )
            assert await edge.until_compared(1) == {"mismatch": 1}
            shown = str(await edge.comparisons()) + await edge.metrics()
        shown += "".join(edge.edge.errors) + (tmp_path / "access.log").read_text()
        assert [secret for secret in [*planted, "bob@secret.example"] if secret in shown] == []
        assert "/body/n" in shown


RULES = """\
version: 1
rules:
  - name: any-number
    fields: [/body/a]
    treat: same_type
    reason: The number does not matter here.
    owner: tests
    expires: 2999-12-31
"""


async def test_rules_are_followed_when_their_file_alone_changes(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("version: 1\nrules: []\n")
    async with backends("legacy", "python") as (legacy, python):
        legacy.script = always(answer(b'{"a":1}', headers=JSON))
        python.script = always(answer(b'{"a":2}', headers=JSON))
        more = "rules: rules.yaml\nshadowing: {noise: 0/s}"
        async with shadowing_edge(tmp_path, legacy.url, python.url, more=more) as edge:
            await fetch(edge.port, get("/things"))
            assert await edge.until_compared(1) == {"mismatch": 1}
            rules.write_text(RULES)
            async with asyncio.timeout(20):
                while not (found := await edge.outcomes())["match_after_normalizing"]:
                    await fetch(edge.port, get("/things"))
                    await edge.until_compared(sum(found.values()) + 1)
            rules.write_text("version: 2\n")
            await edge.until_counted(1, "banyan_edge_shadow_rules_rejected")
            before = await edge.outcomes()
            await fetch(edge.port, get("/things"))
            after = await edge.until_compared(sum(before.values()) + 1)
            assert after - before == {"match_after_normalizing": 1}  # the rules before stay
