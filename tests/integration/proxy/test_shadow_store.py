# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an edge compared is in the diff store, and outlives the edge."""

from __future__ import annotations

import asyncio
from pathlib import Path

from proxy.experiment.outcome import Outcome
from proxy.experiment.store import Store
from tests.proxytest.backend import always, answer, backends
from tests.proxytest.client import fetch, get
from tests.proxytest.shadow import shadowing_edge

JSON = b"Content-Type: application/json\r\nX-Banyan-Build: b7\r\n"


async def test_evidence_is_stored_and_outlives_the_edge(tmp_path: Path, banyan_url: str) -> None:
    async with backends("legacy", "python") as (legacy, python):
        legacy.script = always(answer(b'{"a":1,"secret":"a"}', headers=JSON))
        python.script = always(answer(b'{"a":2,"secret":"b"}', headers=JSON))
        environ = {"BANYAN_DATABASE_URL": banyan_url}
        async with shadowing_edge(tmp_path, legacy.url, python.url, environ=environ) as edge:
            for _ in range(3):
                await fetch(edge.port, get("/things"))
            await edge.until_compared(3)
            assert (await edge.comparisons())["stored"]
            first = await _stored(banyan_url, 3)
            await fetch(edge.port, get("/things"))
            await edge.until_compared(4)
        # What was compared last is written while the edge ends.
        last = await _stored(banyan_url, 4)
    assert (first, last) == (3, 4)
    async with Store.open(banyan_url) as store:
        (endpoint,) = (await store.evidence()).endpoints
    assert endpoint.outcomes[Outcome.MISMATCH] == 4
    assert "/body/a" in {one.field for one in endpoint.findings}
    assert {sighting.build for one in endpoint.findings for sighting in one.sightings} == {"b7"}


async def _stored(url: str, wanted: int) -> int:
    async with Store.open(url) as store, asyncio.timeout(20):
        while (found := (await store.evidence()).comparisons) < wanted:
            await asyncio.sleep(0.05)
    return found
