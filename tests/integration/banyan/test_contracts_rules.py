# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan contracts rules propose`: what was learned, from the store or from an edge, as rules that can be used."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

from typer.testing import CliRunner, Result

from banyan.cli import app
from proxy.experiment.noise import Noise
from proxy.experiment.outcome import Kind
from proxy.experiment.rules import load_rules
from proxy.experiment.store import Store
from proxy.experiment.tally import Tally
from tests.proxytest.backend import Asked, answer, backends
from tests.proxytest.client import fetch, get
from tests.proxytest.shadow import shadowing_edge

NOISE = Noise("tags#index", "/body/now", Kind.VALUE, "timestamp", 50, 48, 40, 39, 0.9)
REAL = Noise("tags#index", "/body/name", Kind.VALUE, "text", 50, 1, 40, 39, 0.01)


async def propose(*arguments: str, **environment: str) -> Result:
    words = ["contracts", "rules", "propose", *arguments]
    return await asyncio.to_thread(CliRunner().invoke, app, words, env=environment)


async def test_noise_in_the_store_is_proposed_and_only_that(banyan_url: str, tmp_path: Path) -> None:
    nothing = await propose("--database-url", banyan_url)
    assert (nothing.exit_code, nothing.stdout) == (1, "")
    tally = Tally()
    tally.add_noise([NOISE, REAL], time.time())
    async with Store.open(banyan_url) as store:
        await store.write(tally.take())
    found = await propose("--owner", "api", "--days", "7", BANYAN_DATABASE_URL=banyan_url)
    assert found.exit_code == 0
    file = tmp_path / "rules.yaml"
    file.write_text("version: 1\nrules:\n" + found.stdout)
    today = datetime.now(UTC).date()
    (rule,) = load_rules(file, today).declared
    assert (rule.fields, rule.owner) == (("/body/now",), "api")
    assert (rule.expires - today).days == 7


async def test_noise_that_an_edge_learned_is_proposed(tmp_path: Path) -> None:
    asked = 0

    async def another(_asked: Asked, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.write(
            answer(
                b'{"at":"2026-01-01T00:00:%02dZ"}' % (asked % 60),
                headers=b"Content-Type: application/json\r\n",
            )
        )

    async with backends("legacy", "python") as (legacy, python):
        legacy.script = python.script = another
        more = "shadowing: {noise: 1000/s}"
        async with shadowing_edge(tmp_path, legacy.url, python.url, more=more) as edge:
            await fetch(edge.port, get("/things"))
            await edge.until_compared(1)
            async with asyncio.timeout(20):
                while (found := await propose("--from-admin", edge.edge.admin_url)).exit_code:
                    await asyncio.sleep(0.05)
    assert 'fields: ["/body/at"]' in found.stdout
    assert "treat: same_class" in found.stdout


async def test_no_edge_and_no_store_are_told() -> None:
    away = await propose("--from-admin", "http://127.0.0.1:1")
    assert away.exit_code == 2
    assert "no edge answers" in away.stderr
    assert (await propose(BANYAN_DATABASE_URL="")).exit_code == 2
