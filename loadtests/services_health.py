# SPDX-License-Identifier: AGPL-3.0-or-later
"""How quickly the services say that they are healthy, while they work.

    python -m loadtests.services_health [--workers 1] [--seconds 20] [--share 0.7] [--endpoint NAME] [--json FILE]

A recorded request is asked as fast as answers come, on 32 connections, which gives the saturation; then at a
share of that, on as many connections (a proxy's are bounded, too) and at moments drawn beforehand, while
`/health` is asked ten times a second on a connection of its own, as an edge or an orchestrator does. The
client has a process of its own, so it takes nothing from the probe; on a machine with few cores it takes from
the services what they would have elsewhere: read `load`.

Exit code 0 where p99 of `/health` is below ten milliseconds, else 1.
"""

from __future__ import annotations

import argparse
import asyncio
import concurrent.futures
import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from banyan.embedded import ValkeyServer
from banyan.sampledb import SAMPLE, sample_server
from contracts.corpus import OWN_COPY, Corpus, Read
from loadtests.bench.generator import Lane, closed_loop, open_loop
from loadtests.bench.stats import percentile

CONNECTIONS = 32
PROBES_PER_SECOND = 10
GOAL_MS = 10.0
WARM_SECONDS = 2.0
SEED = 7


@contextlib.contextmanager
def services(environment: Mapping[str, str], workers: int) -> Iterator[int]:
    """The services as operators run them; the port they listen on."""
    command = [sys.executable, "-m", "banyan.cli", "services", "--listen", "127.0.0.1:0"]
    command += ["--workers", str(workers)]
    with subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise SystemExit("the services did not start")
            yield int(line.rpartition(":")[2])
        finally:
            process.terminate()


def request_of(case: Read, cookies: Mapping[str, str]) -> bytes:
    """The recorded request in bytes."""
    jar = "; ".join(f"{name}={value}" for name, value in cookies.items())
    lines = [f"GET {case.request.path} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/json"]
    return "\r\n".join([*lines, *([f"Cookie: {jar}"] if jar else []), "", ""]).encode()


def typical(corpus: Corpus, endpoint: str) -> Read:
    """The recorded request at the third quartile of its answers' sizes."""
    cases = [one for one in corpus.reads() if one.endpoint == endpoint and one.response.status == 200]
    if not cases:
        raise SystemExit(f"{endpoint}: never recorded")
    return sorted(cases, key=lambda one: len(one.response.body))[len(cases) * 3 // 4]


def body_of(port: int, request: bytes) -> bytes:
    """What is answered, whole."""
    path = request.split(b" ")[1].decode()
    headers = dict(line.split(": ", 1) for line in request.decode().split("\r\n")[1:] if ": " in line)
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    with urllib.request.urlopen(asked) as answer:
        body: bytes = answer.read()
    return body


def probe(port: int, is_over: Callable[[], bool]) -> list[float]:
    """Ask `/health` ten times a second until it is over; sorted milliseconds from the moment each was due."""
    request = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    lane = Lane(port, body_of(port, request))
    due, taken = time.perf_counter(), list[float]()
    while not is_over():
        due += 1 / PROBES_PER_SECOND
        time.sleep(max(0.0, due - time.perf_counter()))
        began = max(due, time.perf_counter()) if not taken else due
        lane.send(request, began)
        while not lane.receive():
            pass
        taken.append((time.perf_counter() - began) * 1000)
    lane.socket.close()
    return sorted(taken)


def measure(port: int, request: bytes, seconds: float, share: float) -> dict[str, Any]:
    """Saturation, then the probe at a share of it."""
    body = body_of(port, request)
    load = partial(closed_loop, port, body, [request], connections=CONNECTIONS)
    spawning = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, spawning) as client:
        client.submit(load, seconds=WARM_SECONDS).result()
        began = time.perf_counter()
        saturation = len(client.submit(load, seconds=seconds / 2).result()) / (time.perf_counter() - began)
        at_share = client.submit(
            open_loop,
            port,
            body,
            [request],
            connections=CONNECTIONS,
            per_second=share * saturation,
            seconds=seconds,
            seed=SEED,
        )
        health = probe(port, at_share.done)
        answers = sorted(1000 * latency for latency in at_share.result())
    return {
        "saturation_rps": round(saturation, 1),
        "asked_rps": round(share * saturation, 1),
        "probes": len(health),
        "health_ms": _told(health),
        "endpoint_ms": _told(answers),
    }


def _told(ordered: list[float]) -> dict[str, float]:
    return {
        "p50": round(percentile(ordered, 0.5), 2),
        "p99": round(percentile(ordered, 0.99), 2),
        "max": round(ordered[-1], 2),
    }


def main() -> None:
    """Start what is needed, measure, print."""
    parser = argparse.ArgumentParser(description="/health of the services under load.")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0, help="of load while /health is asked")
    parser.add_argument("--share", type=float, default=0.7, help="of saturation")
    parser.add_argument("--endpoint", default="versions#show")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    asked = parser.parse_args()
    corpus = Corpus.open()
    case = typical(corpus, asked.endpoint)
    with ValkeyServer() as valkey, sample_server(OWN_COPY) as postgres:
        own = {
            "DATABASE_URL": asyncio.run(postgres.create_database("health", SAMPLE)),
            "REDIS_URL": valkey.url(),
            "BANYAN_LOG_REQUESTS": "off",
            "BANYAN_NOW": corpus.recorded_at.isoformat(),
        }
        with services({**os.environ, **corpus.env, **own}, asked.workers) as port:
            request = request_of(case, corpus.sessions.get(case.actor, {}))
            figures = measure(port, request, asked.seconds, asked.share)
    load = [round(one, 2) for one in os.getloadavg()]
    told = {"endpoint": asked.endpoint, "workers": asked.workers, "load": load, **figures}
    for name, value in told.items():
        sys.stdout.write(f"{name:<16}{value}\n")
    if asked.json is not None:
        asked.json.write_text(json.dumps(told, indent=1) + "\n")
    sys.exit(figures["health_ms"]["p99"] >= GOAL_MS)


if __name__ == "__main__":
    main()
