# SPDX-License-Identifier: AGPL-3.0-or-later
"""What one request costs the services: CPU of the server and of its database connection, per endpoint.

    python -m loadtests.services_cost [--requests 400]

Recorded requests are sent to services in this process, over a database of the recorded data. The client runs
here too: its share is measured against `/health` and taken off; what it needs for longer answers stays in, so
the figures are upper bounds. Divided by the calibration loop they compare with other machines' (the loop: 40
rounds of `json.loads(json.dumps(…))` over 400 rows; run before and after each endpoint, for a shared core is
slower at times).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import structlog
import uvloop

from banyan.embedded import ValkeyServer
from banyan.sampledb import SAMPLE, sample_server
from contracts.corpus import OWN_COPY, Corpus
from tests.servicetest import running_service

ENDPOINTS = (
    *("boot#version", "boot#site", "profile#me", "profile#email_status", "profile#email_exists"),
    *("reactions#index", "versions#show", "groups#suggest_handle"),
    *("groups#index", "groups#subgroups", "profile#groups"),
)


def calibration() -> float:
    """Milliseconds of CPU for the loop, the median of five."""
    row = {"tags": ["a", "b"], "at": "2026-01-01T00:00:00.000Z"}
    document = {"rows": [{"id": i, "name": f"name {i}", **row, "n": i * 1.5} for i in range(400)]}

    def once() -> float:
        began = time.process_time()
        for _ in range(40):
            json.loads(json.dumps(document))
        return (time.process_time() - began) * 1000

    return statistics.median(once() for _ in range(5))


async def cost(ask: Callable[[], Awaitable[object]], number: int) -> float:
    """Milliseconds of this process's CPU for one question."""
    began = time.process_time()
    for _ in range(number):
        await ask()
    return (time.process_time() - began) * 1000 / number


def cpu_of(pid: int) -> float:
    """Milliseconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


async def measure(url: str, redis_url: str, number: int) -> None:
    """Print a line per endpoint."""
    corpus = Corpus.open()
    admin = await asyncpg.connect(url)
    async with running_service(corpus, url, REDIS_URL=redis_url) as service:
        for endpoint in ENDPOINTS:
            cases = [case for case in corpus.reads() if case.endpoint == endpoint]
            sizes = [(len((await service.replay(case)).body), index) for index, case in enumerate(cases)]
            case = cases[sorted(sizes)[len(sizes) * 3 // 4][1]]
            rows = await admin.fetch(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'banyan-services'"
            )
            before, loops = sum(cpu_of(row[0]) for row in rows), [calibration()]
            own = await cost(lambda case=case: service.replay(case), number)  # type: ignore[misc] # bound now
            database = (sum(cpu_of(row[0]) for row in rows) - before) / number
            server = own - await cost(lambda: service.get("/health"), number)
            loops.append(calibration())
            loop = statistics.mean(loops)
            sys.stdout.write(
                f"{endpoint:<24} server {server:.2f} ms, database {database:.2f} ms, loop {loop:.1f} ms: "
                f"{(server + database) / loop:.4f} loops\n"
            )
    await admin.close()


def main() -> None:
    """Start what is needed, and measure."""
    parser = argparse.ArgumentParser(description="CPU per request of the services, server and database.")
    parser.add_argument("--requests", type=int, default=400, help="per endpoint")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with ValkeyServer() as valkey, sample_server(OWN_COPY) as server:

        async def run() -> None:
            await measure(await server.create_database("cost", SAMPLE), valkey.url(), asked.requests)

        uvloop.run(run())  # as the services run


if __name__ == "__main__":
    main()
