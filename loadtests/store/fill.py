# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes made-up comparisons as edges would, then measures size, report and expiry."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Callable

import asyncpg

from banyan.embedded import PostgresServer
from banyan.migrations import migrate
from contracts.corpus import Corpus
from contracts.learned import learned_from
from contracts.report import Format, judge, render
from loadtests.store.made_up import comparisons
from proxy.experiment.evidence import Batch
from proxy.experiment.store import Store
from proxy.experiment.tally import Tally

LARGEST_MB = 200.0
SLOWEST_SECONDS = 2.0
ENDS = 1_790_000_000.0

_SIZE = """
SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'banyan' AND c.relkind = 'r'
"""
_LARGEST = """
SELECT c.relname, (pg_total_relation_size(c.oid) / 1e6)::float8 AS mb FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'banyan' AND c.relkind = 'r' ORDER BY mb DESC LIMIT 4
"""


async def measure(
    count: int, *, edges: int, batch: int, progress: Callable[[str], None] = lambda _: None
) -> dict[str, float]:
    """The figures by name; megabytes are 10^6 bytes. `tally_us` is the CPU of adding up one comparison."""
    with PostgresServer() as server:
        url = await server.create_database("evidence")
        await migrate(url)
        async with Store.open(url, connections=edges) as store:
            figures = await _fill(store, count, edges, batch, progress)
            connection = await asyncpg.connect(url)
            figures["store_mb"] = await connection.fetchval(_SIZE) / 1e6
            for table, size in await connection.fetch(_LARGEST):
                figures[f"{table}_mb"] = size
            await connection.close()
            figures["report_seconds"] = await _report(store)
            began = time.perf_counter()
            figures["expired_rows"] = await store.expire(ENDS + 15 * 86_400)
            figures["expiry_seconds"] = time.perf_counter() - began
    return figures


async def _fill(
    store: Store, count: int, edges: int, batch: int, progress: Callable[[str], None]
) -> dict[str, float]:
    tallies = [Tally() for _ in range(edges)]
    stream = comparisons(count, ENDS)
    cpu, seconds, written = 0.0, list[float](), 0
    while written < count:
        batches: list[Batch] = []
        for tally in tallies:
            pairs = list(itertools.islice(stream, batch))
            began = time.process_time()
            for pair, comparison in pairs:
                tally.add(pair, comparison)
            batches.append(tally.take())
            cpu += time.process_time() - began
            written += len(pairs)
        seconds += await asyncio.gather(*(_write(store, one) for one in batches))
        if written % 100_000 < edges * batch:
            progress(f"{written:,} of {count:,}")
    return {
        "comparisons": written,
        "writes": len(seconds),
        "tally_us": cpu / written * 1e6,
        "write_median_ms": statistics.median(seconds) * 1e3,
        "write_longest_ms": max(seconds) * 1e3,
    }


async def _write(store: Store, batch: Batch) -> float:
    began = time.perf_counter()
    await store.write(batch)
    return time.perf_counter() - began


async def _report(store: Store) -> float:
    """Seconds from asking to the page, as `banyan contracts report --format html` does it."""
    began = time.perf_counter()
    evidence = await store.evidence()
    learned = learned_from(Corpus.open(), {one.route for one in evidence.endpoints if one.findings})
    report = judge(evidence, now=ENDS, recorded=learned.recorded, explain=learned.explanations())
    render(report, Format.HTML)
    return time.perf_counter() - began
