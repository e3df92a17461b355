# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading and writing; see the package. Every method raises `StoreError`, and nothing else that PostgreSQL is about."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeAlias

import asyncpg

from proxy.experiment.evidence import Approval, Batch, Evidence, Found, Loss, Lost, Sample
from proxy.experiment.store import rows
from proxy.experiment.store import statements as sql
from proxy.experiment.store.errors import translated
from proxy.experiment.store.keep import MOST_FINDINGS, MOST_QUERIES, Keep, places

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 30.0
RESENT = timedelta(days=1)
"""For how long a batch may be sent again."""
CHUNK = 1_000
"""Rows that one step of expiry deletes."""
MOST_READ = 5_000
"""Findings that evidence holds at most; the most serious and most frequent ones."""
MOST_SAMPLED = 500
"""Findings of evidence that come with their samples."""


class Store:
    """The evidence in one database."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        """Use `open`, or give it a pool that needs no session state of its own."""
        self._pool = pool

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, connections: int = 2) -> AsyncIterator[Store]:
        """The store at a database URL. Connections are made when they are needed, so PostgreSQL may be away."""
        with translated():
            pool = await asyncpg.create_pool(
                url,
                min_size=0,
                max_size=connections,
                timeout=CONNECT_SECONDS,
                command_timeout=STATEMENT_SECONDS,
                statement_cache_size=0,  # poolers hand a connection from one client to the next
                server_settings={"application_name": "banyan-store"},
            )
        try:
            yield cls(pool)
        finally:
            pool.terminate()

    async def write(self, batch: Batch) -> bool:
        """Add a batch, all of it or nothing; False where it was there already."""
        with translated():
            async with self._pool.acquire(timeout=CONNECT_SECONDS) as connection, connection.transaction():
                if not await connection.fetchval(sql.BEGIN_BATCH, batch.id):
                    return False
                await connection.execute(sql.WRITE_SERIES, *rows.series_columns(batch))
                await connection.execute(sql.WRITE_COUNTS, *rows.count_columns(batch))
                lost = await self._write_findings(connection, batch) if batch.findings else ()
                await connection.execute(sql.WRITE_COVERAGE, *rows.coverage_columns(batch))
                await connection.execute(sql.WRITE_NOISE, *rows.noise_columns(batch))
                await connection.execute(sql.WRITE_LOST, *rows.lost_columns(_summed((*batch.lost, *lost))))
                return True

    async def _write_findings(self, connection: Connection, batch: Batch) -> tuple[Lost, ...]:
        """Answers the sightings of findings for which there was no room."""
        written = await connection.fetch(sql.WRITE_FINDINGS, *rows.finding_columns(batch), MOST_FINDINGS)
        kept = {row["fingerprint"] for row in written}
        findings = [found for found in batch.findings if rows.text(found.fingerprint) in kept]
        await connection.execute(sql.WRITE_SIGHTINGS, *rows.sighting_columns(findings))
        if sampled := [found for found in findings if found.samples]:
            taken: dict[str, dict[int, float]] = {}
            for row in await connection.fetch(
                sql.SAMPLE_PLACES, [rows.text(one.fingerprint) for one in sampled]
            ):
                taken.setdefault(row["fingerprint"], {})[row["slot"]] = row["at"]
            placed = _placed(sampled, taken)
            await connection.execute(sql.WRITE_SAMPLES, *rows.sample_columns(placed))
        return tuple(
            Lost(found.route, Loss.FINDINGS, found.times, found.last_seen)
            for found in batch.findings
            if rows.text(found.fingerprint) not in kept
        )

    async def evidence(
        self,
        *,
        route: str | None = None,
        group: str | None = None,
        since: float | None = None,
        build: str | None = None,
    ) -> Evidence:
        """What is known, as of one moment. `route` may hold `*`; `since` is seconds since 1970 (its hour is in whole).

        `build` is the candidate's; counts are those of all builds together where none is named. Coverage and noise are
        not told by group or build.
        """
        like = None if route is None else _like(route)
        with translated():
            async with (
                self._pool.acquire(timeout=CONNECT_SECONDS) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                await connection.execute(sql.WITHOUT_JIT)
                counts = await (
                    connection.fetch(sql.READ_TOTALS, like, group, build)
                    if since is None
                    else connection.fetch(sql.READ_COUNTS, like, group, build, since)
                )
                found = await connection.fetch(sql.READ_FINDINGS, like, group, since, build, MOST_READ)
                samples = await self._samples(
                    connection, [row["fingerprint"] for row in found[:MOST_SAMPLED]]
                )
                coverage = await connection.fetch(sql.READ_COVERAGE, like, since)
                noise = await connection.fetch(sql.READ_NOISE, like, since)
                lost = await connection.fetch(sql.READ_LOST, like, since)
                approvals = await connection.fetch(sql.READ_APPROVALS)
        told = {row["route"] for row in counts} | {row["route"] for row in found}
        narrowed = group is not None or build is not None
        batch = Batch(
            id="",
            counts=tuple(map(rows.read_count, counts)),
            findings=tuple(rows.read_found(row, samples.get(row["fingerprint"], ())) for row in found),
            coverage=tuple(
                rows.read_covered(row) for row in coverage if not narrowed or row["route"] in told
            ),
            noise=tuple(rows.read_noise(row) for row in noise if not narrowed or row["route"] in told),
            lost=tuple(map(rows.read_lost, lost)),
        )
        unread = found[0]["there_are"] - len(found) if found else 0
        return Evidence.of(batch, [Approval(**row) for row in approvals], unread=unread)

    async def _samples(
        self, connection: Connection, fingerprints: list[str]
    ) -> dict[str, tuple[Sample, ...]]:
        read: dict[str, tuple[Sample, ...]] = {}
        for row in await connection.fetch(sql.READ_SAMPLES, fingerprints):
            read[row["fingerprint"]] = (*read.get(row["fingerprint"], ()), rows.read_sample(row["sample"]))
        return read

    async def approvals(self) -> tuple[Approval, ...]:
        """All of them, those that ended too, the oldest first."""
        with translated():
            return tuple(Approval(**row) for row in await self._pool.fetch(sql.READ_APPROVALS))

    async def approve(self, approval: Approval) -> None:
        """Accept a finding; replaces an approval of the same."""
        with translated():
            await self._pool.execute(
                sql.APPROVE, approval.fingerprint, approval.by, approval.reason, approval.at, approval.until
            )

    async def revoke(self, fingerprint: str) -> bool:
        """Take an approval back; False where there was none."""
        with translated():
            return bool(await self._pool.fetchval(sql.REVOKE, fingerprint))

    async def expire(self, now: float, keep: Keep | None = None) -> int:
        """Delete what is older than it should be, in small steps; answers how many rows went (none where another
        edge is at it)."""
        keep = keep or Keep()
        gone = 0
        for aged, age in (
            (sql.EXPIRE_SAMPLES, keep.samples),
            (sql.EXPIRE_COUNTS, keep.counts),
            (sql.EXPIRE_BATCHES, RESENT),
        ):
            for statement in aged.values():
                gone += await self._in_steps(statement, now - age.total_seconds())
        return gone + await self._in_steps(sql.EXPIRE_QUERIES, MOST_QUERIES)

    async def _in_steps(self, statement: str, bound: float) -> int:
        gone = 0
        while True:
            with translated():
                async with (
                    self._pool.acquire(timeout=CONNECT_SECONDS) as connection,
                    connection.transaction(),
                ):
                    if not await connection.fetchval(sql.EXPIRY_LOCK):
                        return gone
                    step: int = await connection.fetchval(statement, bound, CHUNK)
            gone += step
            if step < CHUNK:
                return gone


def _placed(sampled: list[Found], taken: Mapping[str, Mapping[int, float]]) -> dict[tuple[str, int], Sample]:
    return {
        (found.fingerprint, place): sample
        for found in sampled
        for place, sample in places(taken.get(rows.text(found.fingerprint), {}), found.samples).items()
    }


def _summed(lost: tuple[Lost, ...]) -> list[Lost]:
    """One row per route and kind: a statement may not meet a row twice."""
    total: dict[tuple[str, Loss], Lost] = {}
    for one in lost:
        key = (rows.text(one.route), one.what)
        before = total.get(key, Lost(one.route, one.what, 0, 0.0))
        total[key] = Lost(one.route, one.what, before.times + one.times, max(before.last_seen, one.last_seen))
    return list(total.values())


def _like(pattern: str) -> str:
    """A pattern with `*` as LIKE wants it."""
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")
