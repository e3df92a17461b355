# SPDX-License-Identifier: AGPL-3.0-or-later
"""The proxies, each as a child process in front of an origin, with as little told to it as will do."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from loadtests.bench.processes import SUBJECT_CORE, Child, free_port


def _edge(folder: Path, port: int, origin: int) -> list[str]:
    config = folder / "routing.yaml"
    backend = f"{{urls: ['http://127.0.0.1:{origin}'], breaker: {{failures: 0}}}}"
    config.write_text(f"version: 1\nsalt: x\nbackends:\n  legacy: {backend}\n  python: {backend}\n")
    address = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "banyan.cli", "edge", "--config", str(config), "--listen", address]
    return [*command, "--admin", "127.0.0.1:0", "--access-log", "off", "--drain-seconds", "1"]


def _nginx(folder: Path, port: int, origin: int) -> list[str]:
    user = "user root;" if os.geteuid() == 0 else ""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    config = folder / "nginx.conf"
    config.write_text(f"""{user} daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log crit;
events {{ worker_connections 512; }}
http {{
  access_log off; {temporary}
  large_client_header_buffers 4 64k; client_max_body_size 0;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{origin};
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_ignore_client_abort on; proxy_request_buffering off;
    }}
  }}
}}
""")
    return [_program("nginx"), "-p", str(folder), "-c", str(config)]


def _haproxy(folder: Path, port: int, origin: int) -> list[str]:
    config = folder / "haproxy.cfg"
    config.write_text(f"""global
  maxconn 512
  tune.bufsize 65536
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  server origin 127.0.0.1:{origin}
""")
    return [_program("haproxy"), "-db", "-f", str(config)]


PEERS = {"edge": _edge, "nginx": _nginx, "haproxy": _haproxy}


def _program(name: str) -> str:
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin") or ""


def is_there(name: str) -> bool:
    """Whether a proxy can be started here."""
    return name == "edge" or bool(_program(name))


@contextlib.contextmanager
def running(name: str, folder: Path, origin: int) -> Iterator[int]:
    """Run a proxy in front of an origin; its port. Raises `loadtests.bench.processes.StartError`."""
    folder.mkdir()
    port = free_port()
    child = Child(PEERS[name](folder, port, origin), folder, core=SUBJECT_CORE)
    try:
        child.wait_for(port)
        yield port
    finally:
        child.stop()
