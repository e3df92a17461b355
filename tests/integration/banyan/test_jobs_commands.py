# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan jobs` and `banyan services jobs`, as an operator uses them."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys

import aiohttp
import asyncpg
import pytest

from banyan.embedded import PostgresServer, ValkeyServer
from contracts.corpus import Corpus


@pytest.fixture
def environment(banyan_url: str, valkey: ValkeyServer, corpus: Corpus) -> dict[str, str]:
    settings = {"DATABASE_URL": banyan_url, "REDIS_URL": valkey.url(3), "COLUMNS": "120"}
    return {**os.environ, **corpus.env, **settings}


def banyan(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "banyan.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


async def test_a_failed_job_is_seen_retried_and_run(environment: dict[str, str]) -> None:
    assert banyan(environment, "jobs", "run", "tidy").returncode == 0
    again = banyan(environment, "jobs", "run", "tidy")
    assert (again.returncode, again.stdout) == (1, "none enqueued\n")
    connection = await asyncpg.connect(environment["DATABASE_URL"])
    await connection.execute("UPDATE banyan.pgqueuer SET status = 'failed'")
    listed = banyan(environment, "jobs", "list", "--json")
    assert listed.returncode == 1
    (job,) = json.loads(listed.stdout)["jobs"]
    assert (job["kind"], job["state"]) == ("tidy", "failed")
    assert "tidy" in banyan(environment, "jobs", "list").stdout
    retried = banyan(environment, "jobs", "retry", str(job["id"]))
    assert (retried.returncode, retried.stdout) == (0, f"retried {job['id']}\n")
    assert banyan(environment, "jobs", "list", "--state", "failed").stdout.splitlines()[-1] == "1 tidy queued"

    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "banyan.cli", "services", "jobs", "--admin", "127.0.0.1:0"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert worker.stdout is not None
    admin = (await worker.stdout.readline()).decode().removeprefix("admin on ").strip()
    assert (await worker.stdout.readline()).startswith(b"jobs: tidy")
    async with aiohttp.ClientSession(admin) as session:
        while await connection.fetchval("SELECT count(*) FROM banyan.pgqueuer"):
            assert (await session.get("/ready")).status == 200
        text = await (await session.get("/metrics")).text()
    assert 'banyan_jobs_total{kind="tidy",outcome="done"} 1' in text
    assert "banyan_outbox_rows 0" in text
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(worker.wait(), 30) == 0
    await connection.close()


def test_wrong_use_is_told(environment: dict[str, str]) -> None:
    unknown = banyan(environment, "jobs", "run", "nonsense")
    assert (unknown.returncode, "there is tidy" in unknown.stderr) == (2, True)
    assert banyan(environment, "jobs", "run", "tidy", "--payload", "{]").returncode == 2
    assert banyan(environment, "jobs", "retry").returncode == 2
    assert banyan(environment, "jobs", "discard", "999").returncode == 1
    assert banyan(environment, "jobs", "list").stdout == "no jobs\n"
    away = banyan({**environment, "DATABASE_URL": "postgres://x@127.0.0.1:1/x"}, "jobs", "list")
    assert (away.returncode, "is PostgreSQL running" in away.stderr) == (2, True)


async def test_a_database_without_the_queue_is_told(
    environment: dict[str, str], postgres: PostgresServer
) -> None:
    name = f"bare_{os.getpid()}_{random.randrange(10**9)}"
    bare = banyan({**environment, "DATABASE_URL": await postgres.create_database(name)}, "jobs", "list")
    assert (bare.returncode, "banyan migrate" in bare.stderr) == (2, True)
    await postgres.drop_database(name)
