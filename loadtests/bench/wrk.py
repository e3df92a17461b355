# SPDX-License-Identifier: AGPL-3.0-or-later
"""Throughput by Debian's `wrk`, which costs its core less than a client in Python would."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from loadtests.bench.generator import LoadError

_SCRIPT: Final = Path(__file__).with_name("rotate.lua")
_LARGEST_HEAD: Final = 4096


class Outcome(NamedTuple):
    """What wrk counted. The errors are sums of its five kinds."""

    requests: int
    seconds: float
    bytes: int
    errors: int


def find() -> str | None:
    """Where wrk is; None where it is not."""
    return shutil.which("wrk")


def write_requests(file: Path, requests: Sequence[bytes]) -> None:
    """Write heads for `run`."""
    file.write_bytes(b"\0".join(requests))


def run(wrk: str, port: int, file: Path, *, connections: int, seconds: int, first: int) -> Outcome:
    """Load the port for so many seconds with the requests of `file`, beginning with number `first`."""
    command = [
        *(wrk, "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"),
        *(
            "--timeout",
            "10s",
            "--script",
            str(_SCRIPT),
            f"http://127.0.0.1:{port}/",
            "--",
            str(file),
            str(first),
        ),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LoadError(f"wrk failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return parse(done.stdout)


def parse(output: str) -> Outcome:
    """What the last line of wrk's output says. Raises `LoadError` where it says nothing."""
    try:
        said = json.loads(output.strip().rpartition("\n")[2])
        errors = sum(said[kind] for kind in ("connect", "read", "write", "status", "timeout"))
        return Outcome(said["requests"], said["seconds"], said["bytes"], errors)
    except (ValueError, KeyError, TypeError):
        raise LoadError(f"wrk said something else: {output[-500:]!r}") from None


def check(outcome: Outcome, body: int, connections: int) -> None:
    """Raises `LoadError` where there were errors, or the bytes are not those of so many whole answers: wrk sees no
    bodies, but counts what it gets; on each connection the last answer may be cut."""
    if outcome.errors or not outcome.requests:
        raise LoadError(f"{outcome.errors} errors in {outcome.requests} requests")
    least = outcome.requests * body
    most = (outcome.requests + connections) * (body + _LARGEST_HEAD)
    if not least <= outcome.bytes <= most:
        raise LoadError(f"{outcome.requests} answers had {outcome.bytes} bytes, not {least} to {most}")
