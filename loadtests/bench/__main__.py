# SPDX-License-Identifier: AGPL-3.0-or-later
"""`python -m loadtests.bench`: the command line. Exit codes: 0 measured, 1 something went wrong, 2 wrong use."""

from __future__ import annotations

import argparse
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import NoReturn

import msgspec

from loadtests.bench import subjects, wrk
from loadtests.bench.cases import Setting, all_cases
from loadtests.bench.processes import OTHER_CORE, SUBJECT_CORE, on_core
from loadtests.bench.report import Report, as_markdown, as_text
from loadtests.bench.run import Run
from loadtests.bench.shadow import compared_cases

_BUSY = 0.3


def arguments(words: list[str]) -> argparse.Namespace:
    """What was asked for. Leaves with 2 where it makes no sense."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench", description=__doc__)
    parser.add_argument("--rounds", type=_positive, help="of every case (4)")
    parser.add_argument("--seconds", type=float, help="each measurement's length (3)")
    parser.add_argument("--idle", type=_positive, metavar="N", help="idle connections (5000)")
    parser.add_argument("--subjects", nargs="+", choices=subjects.SUBJECTS, default=list(subjects.SUBJECTS))
    parser.add_argument(
        "--cases", metavar="TEXT", action="append", help="only cases whose name holds it; repeatable"
    )
    parser.add_argument(
        "--plain", action="store_true", help="origin and client in Python, even where nginx and wrk are"
    )
    parser.add_argument("--quick", action="store_true", help="one short round: does everything run?")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the result there")
    parser.add_argument(
        "--markdown", type=Path, metavar="PATH", help="write the tables of docs/performance.md there"
    )
    parser.add_argument(
        "--show", type=Path, metavar="PATH", help="measure nothing: show a result written by --json"
    )
    asked = parser.parse_args(words)
    rounds, seconds, idle = (1, 0.5, 200) if asked.quick else (4, 3.0, 5000)
    asked.rounds = asked.rounds or rounds
    asked.seconds = seconds if asked.seconds is None else asked.seconds
    asked.idle = asked.idle or idle
    if not 0 < asked.seconds <= 3600:
        parser.error("--seconds is between 0 and 3600")
    setting = Setting(asked.seconds, asked.idle, None, Path())
    names = [case.name for case in [*all_cases(setting), *compared_cases(setting)]]
    for text in asked.cases or ():
        if not any(text in name for name in names):
            parser.error(f"--cases {text!r} is in no case's name; they are: {'; '.join(names)}")
    return asked


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def main(words: list[str]) -> int:
    """Run as asked."""
    asked = arguments(words)
    if asked.show is not None:
        try:
            report = msgspec.json.decode(asked.show.read_bytes(), type=Report)
        except (OSError, msgspec.MsgspecError) as error:
            return _wrong_use(f"--show {asked.show}: {error}")
    else:
        if not Path("/proc/self/schedstat").exists():
            return _wrong_use("needs Linux with /proc/PID/schedstat")
        signal.signal(signal.SIGTERM, _leave)
        with on_core(OTHER_CORE), tempfile.TemporaryDirectory(prefix="banyan-bench-") as folder:
            report = measure(asked, Path(folder))
    sys.stdout.write(as_text(report))
    if asked.json is not None:
        asked.json.write_bytes(report.json())
    if asked.markdown is not None:
        asked.markdown.write_text(as_markdown(report), "utf-8")
    return 1 if report.errors or not report.rows else 0


def _wrong_use(message: str) -> int:
    sys.stderr.write(f"bench: {message}\n")
    return 2


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(1)  # so that everything started is ended


def measure(asked: argparse.Namespace, folder: Path) -> Report:
    """The whole run."""
    _raise_file_limit()
    busy = os.getloadavg()[0]
    recipes, notes = subjects.find(asked.subjects, folder)
    nginx = None if asked.plain else subjects.find_program("nginx")
    client = None if asked.plain else wrk.find()
    notes += _notes(busy, nginx, client)
    setting = Setting(asked.seconds, asked.idle, client, folder)
    cases = [
        case
        for case in [*all_cases(setting), *compared_cases(setting)]
        if not asked.cases or any(part in case.name for part in asked.cases)
    ]
    run = Run(recipes, asked.rounds, nginx)
    rows = run.cases(cases)
    return Report(_machine(), rows, notes, run.errors)


def _notes(busy: float, nginx: str | None, client: str | None) -> list[str]:
    notes = []
    if SUBJECT_CORE == OTHER_CORE:
        notes.append("one core for everything: the figures of throughput and latency say little")
    if busy > _BUSY:
        notes.append(f"the machine was busy when the run began (load {busy:.1f})")
    if nginx is None:
        notes.append("the origin is in Python, which costs more than nginx and may set the limit")
    if client is None:
        notes.append("the client is in Python, which costs more than wrk and sets the limit: look at CPU")
    return notes


def _raise_file_limit() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _machine() -> dict[str, str]:
    """What the figures depend on, as far as a machine tells."""
    cpuinfo = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    models = [
        line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")
    ]
    versions = {
        "revision": ("git", "describe", "--always", "--dirty"),
        "nginx": ("nginx", "-v"),
        "haproxy": ("haproxy", "-v"),
        "node": ("node", "--version"),
    }
    said = {name: _first_line(*command) for name, command in versions.items()}
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
    } | {name: line for name, line in said.items() if line}


def _first_line(program: str, *words: str) -> str:
    """What a program says of its version; nothing where it is missing."""
    path = subjects.find_program(program)
    if path is None:
        return ""
    done = subprocess.run([path, *words], capture_output=True, text=True, check=False)
    line = (done.stdout or done.stderr).strip().partition("\n")[0]
    return "" if done.returncode else line.removeprefix("nginx version: ").removeprefix("HAProxy version ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
