# SPDX-License-Identifier: AGPL-3.0-or-later
"""The README's commands, run as they stand (on free ports, in a copy of the tree)."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()

# Where a machine has no curl, this does what the README asks of it.
CURL = f"""#!{sys.executable}
import sys, urllib.error, urllib.request
arguments = sys.argv[1:]
headers, url, method, fail = {{}}, "", None, False
while arguments:
    word = arguments.pop(0)
    if word == "-H":
        name, _, value = arguments.pop(0).partition(":")
        headers[name] = value.strip()
    elif word == "-X":
        method = arguments.pop(0)
    elif word.startswith("-"):
        fail = fail or "f" in word
    else:
        url = word
data = b"" if method == "POST" else None
try:
    print(urllib.request.urlopen(urllib.request.Request(url, data, headers)).read().decode())
except OSError as error:
    sys.exit(22 if fail else 0)
"""


def test_an_operators_first_hour(tmp_path: Path) -> None:
    tree = tmp_path / "banyan"
    keep_out = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, tree, ignore=keep_out)
    script = "set -euo pipefail\n" + "\n".join(re.findall(r"^```sh\n(.*?)^```", TEXT, re.S | re.M))
    for port in sorted(set(re.findall(r"127\.0\.0\.1:(\d+)", script))):
        script = script.replace(f"127.0.0.1:{port}", f"127.0.0.1:{_free_port()}")
    commands = tmp_path / "bin"
    commands.mkdir()
    if shutil.which("curl") is None:
        (commands / "curl").write_text(CURL)
        (commands / "curl").chmod(0o755)
    path = os.pathsep.join([str(Path(sys.executable).parent), str(commands), os.environ["PATH"]])
    environ = {"PATH": path, "HOME": str(tmp_path), "PYTHONPATH": str(tree)}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tree,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert "→ legacy" in said
    assert '"allow_viewed"' in said
    assert '"generation":1' in said
    assert "versions-reads" in said
    assert '"generation":2' in said
    assert '"reason":"kill"' in said
    assert "banyan_edge_decisions_total" in said
    assert '"event":"request"' in said
    assert (tree / "routing.yaml").read_text().count("kill: true") == 0


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def test_every_page_it_names_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_the_targets_it_names_are_the_makefiles() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    for target in set(re.findall(r"\bmake ([a-z]+)", TEXT)):
        assert target in targets, target
