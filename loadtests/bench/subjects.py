# SPDX-License-Identifier: AGPL-3.0-or-later
"""Starts the proxies, each with one process for traffic on the subjects' core, and the origins on the other.

A proxy that this machine lacks is left out, and the reason told.
"""

from __future__ import annotations

import importlib.machinery
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import proxy
from loadtests.bench import configs, workload
from loadtests.bench.configs import Ports
from loadtests.bench.processes import (
    OTHER_CORE,
    SUBJECT_CORE,
    Child,
    StartError,
    children,
    command_of,
    free_port,
)

HTTP_PROXY: Final = "http-proxy@1.18.1"
_START_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.02
_ENOUGH: Final = 1000  # requests, for a share to show


class Subject:
    """A running proxy: where it listens, and which processes carry its traffic (none for the origin itself)."""

    def __init__(self, name: str, port: int, child: Child | None, pids: list[int]) -> None:
        self.name = name
        self.port = port
        self.pids = pids
        self._child = child

    def stop(self) -> None:
        """End it."""
        if self._child is not None:
            self._child.stop()

    def problems(self) -> list[str]:
        """What its own counters say went wrong."""
        return []


class EdgeSubject(Subject):
    """A running edge. `routing` is its file."""

    def __init__(
        self, name: str, port: int, child: Child, pids: list[int], admin: int, routing: Path
    ) -> None:
        super().__init__(name, port, child, pids)
        self.routing = routing
        self.parent = child.pid
        self.admin_url = f"http://127.0.0.1:{admin}"

    def longest_install_ms(self) -> float:
        """The longest that a worker's loop stood still for a new configuration."""
        workers: list[dict[str, Any]] = json.loads(get(f"{self.admin_url}/config"))["workers"]
        return max(float(worker["stalls_ms"].get("install", 0)) for worker in workers)

    def problems(self) -> list[str]:
        """What it did less than is claimed: cookies it could not read, decisions it did not count or halve."""
        return edge_problems(counters(get(f"{self.admin_url}/metrics").decode()))


def counters(text: str) -> dict[str, float]:
    """Series → value in Prometheus' text."""
    lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {series: float(value) for series, _, value in lines}


def edge_problems(counts: dict[str, float]) -> list[str]:
    """What an edge's counters say that it did less than it should."""
    decisions = {
        series: n for series, n in counts.items() if series.startswith("banyan_edge_decisions_total{")
    }
    halved = [(series, n) for series, n in decisions.items() if 'reason="share"' in series]
    moved = sum(n for series, n in halved if 'side="python"' in series)
    total = sum(n for _, n in halved)
    found = []
    if not any(decisions.values()):
        found.append("it counted no decisions")
    if counts.get("banyan_edge_unreadable_cookies_total", 0):
        found.append("it could not read session cookies")
    if total > _ENOUGH and not 0.3 < moved / total < 0.7:
        found.append(f"{moved:g} of {total:g} requests at 50 % were moved")
    return found


def get(url: str, *, post: bool = False) -> bytes:
    """The body of an answer of an admin port."""
    asked = urllib.request.Request(url, method="POST" if post else "GET")
    with urllib.request.urlopen(asked, timeout=30) as answer:
        body: bytes = answer.read()
        return body


Recipe = Callable[[Path, Ports], Subject]
"""Starts a subject with its files in a folder, in front of an origin."""


# -- origins ----------------------------------------------------------------------------------------------------------


def start_python_origin(folder: Path) -> tuple[Child, Ports]:
    """The origin that can do everything."""
    ports = Ports(free_port(), free_port())
    child = Child([sys.executable, "-m", "loadtests.bench.origin", *map(str, ports)], folder, core=OTHER_CORE)
    return _started(child, ports.python), ports


def start_nginx_origin(nginx: str, folder: Path) -> tuple[Child, Ports]:
    """The origin that costs least."""
    ports = Ports(free_port(), free_port())
    child = _nginx(nginx, folder, configs.nginx_origin(folder, ports), OTHER_CORE)
    return _started(child, ports.python), ports


def _started(child: Child, port: int) -> Child:
    try:
        child.wait_for(port)
    except StartError:
        child.stop()
        raise
    return child


def _nginx(nginx: str, folder: Path, text: str, core: int) -> Child:
    file = folder / "nginx.conf"
    file.write_text(text)
    return Child(
        [nginx, "-p", str(folder), "-c", str(file), "-e", str(folder / "error.log")], folder, core=core
    )


# -- subjects ---------------------------------------------------------------------------------------------------------


def _edge(name: str) -> Recipe:
    pure = name == "edge-pure"

    def start(folder: Path, origin: Ports) -> Subject:
        return start_edge(name, folder, origin, workload.write_routing(folder), pure=pure)

    return start


def start_edge(
    name: str, folder: Path, origin: Ports, routing: Path, *, pure: bool | None = False
) -> EdgeSubject:
    """An edge with one worker. `pure`: without compiled parts; None: as they are there."""
    port, admin = free_port(), free_port()
    command = [
        *(sys.executable, "-m", "banyan.cli", "edge", "--config", str(routing), "--workers", "1"),
        *("--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin}"),
        *("--access-log", str(folder / "access.log"), "--drain-seconds", "1"),
    ]
    environment = {
        "LEGACY_URL": f"http://127.0.0.1:{origin.legacy}",
        "PYTHON_URL": f"http://127.0.0.1:{origin.python}",
        "SECRET_KEY_BASE": workload.SECRET,
        "BANYAN_PURE": "1" if pure else "",
    }
    child = _started(Child(command, folder, core=SUBJECT_CORE, environment=environment), admin)
    try:
        pids = _workers(child, admin)
        for pid in pids:
            if pure is not None and runs_compiled(Path(f"/proc/{pid}/maps").read_text()) == pure:
                raise StartError(f"{name} runs {'with' if pure else 'without'} compiled parts")
    except StartError:
        child.stop()
        raise
    return EdgeSubject(name, port, child, pids, admin, routing)


def _workers(child: Child, admin: int) -> list[int]:
    """Wait until the edge is ready; its workers."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        child.check(deadline)
        try:
            get(f"http://127.0.0.1:{admin}/ready")
        except OSError:  # 503 is one too
            time.sleep(_POLL_SECONDS)
            continue
        return [pid for pid in children(child.pid) if "proxy.app.worker" in command_of(pid)]


def _extensions() -> list[str]:
    """The edge's compiled modules, as paths; none where they were not built."""
    folder = Path(proxy.__file__).parent
    return [
        str(file) for suffix in importlib.machinery.EXTENSION_SUFFIXES for file in folder.rglob(f"*{suffix}")
    ]


def runs_compiled(maps: str) -> bool:
    """Whether a process with these memory maps has loaded a compiled module of the edge."""
    return any(file in maps for file in _extensions())


def _nginx_proxy(nginx: str) -> Recipe:
    def start(folder: Path, origin: Ports) -> Subject:
        port = free_port()
        child = _started(_nginx(nginx, folder, configs.nginx_proxy(folder, port, origin), SUBJECT_CORE), port)
        return Subject("nginx", port, child, children(child.pid))

    return start


def _haproxy(haproxy: str) -> Recipe:
    def start(folder: Path, origin: Ports) -> Subject:
        port = free_port()
        file = folder / "haproxy.cfg"
        file.write_text(configs.haproxy(port, origin))
        child = _started(Child([haproxy, "-db", "-f", str(file)], folder, core=SUBJECT_CORE), port)
        return Subject("haproxy", port, child, [child.pid])

    return start


def _aiohttp(folder: Path, origin: Ports) -> Subject:
    port = free_port()
    command = [sys.executable, "-m", "loadtests.bench.peers.aiohttp_proxy", str(port), *map(str, origin)]
    child = _started(Child(command, folder, core=SUBJECT_CORE), port)
    return Subject("aiohttp", port, child, [child.pid])


def _node(node: str, modules: Path) -> Recipe:
    script = Path(__file__).with_name("peers") / "node_proxy.js"

    def start(folder: Path, origin: Ports) -> Subject:
        port = free_port()
        command = [node, str(script), str(port), *map(str, origin), str(folder / "access.log")]
        child = Child(command, folder, core=SUBJECT_CORE, environment={"NODE_PATH": str(modules)})
        return Subject("node", port, _started(child, port), [child.pid])

    return start


def _install_http_proxy(folder: Path) -> str | None:
    """Install the Node proxy's library into `folder`; why not, or None."""
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed"
    options = ["--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        done = subprocess.run(
            [npm, "install", "--prefix", str(folder), *options, HTTP_PROXY],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "npm took longer than two minutes"
    return (done.stderr.strip().partition("\n")[0] or "npm failed") if done.returncode else None


SUBJECTS: Final = ("edge-pure", "edge-compiled", "nginx", "haproxy", "aiohttp", "node")


def find(wanted: list[str], folder: Path) -> tuple[dict[str, Recipe], list[str]]:
    """What of `wanted` can run here, in that order, and why the rest cannot. `folder` is for what must be installed."""
    found: dict[str, Recipe] = {}
    notes: list[str] = []
    for name in wanted:
        recipe = _recipe(name, folder)
        if isinstance(recipe, str):
            notes.append(f"{name} is left out: {recipe}")
        else:
            found[name] = recipe
    return found, notes


def _recipe(name: str, folder: Path) -> Recipe | str:
    """How to start it, or why not."""
    if name == "edge-compiled" and not _extensions():
        return "the edge's compiled parts are not built"
    if name.startswith("edge-"):
        return _edge(name)
    if name == "aiohttp":
        return _aiohttp
    program = find_program(name)
    if program is None:
        return f"{name} is not installed"
    if name == "nginx":
        return _nginx_proxy(program)
    if name == "haproxy":
        return _haproxy(program)
    why_not = _install_http_proxy(folder)
    return (
        _node(program, folder / "node_modules")
        if why_not is None
        else f"{HTTP_PROXY} cannot be had: {why_not}"
    )


def find_program(name: str) -> str | None:
    """A program's path; Debian keeps servers where not everybody's PATH leads."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
