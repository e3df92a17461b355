# SPDX-License-Identifier: AGPL-3.0-or-later
"""`docs/add-an-endpoint.md`, done in a copy of the tree: every block is applied, checked, and its tests run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/add-an-endpoint.md"
BLOCK = re.compile(
    r"^```\w+\n# (?P<what>file|change): (?P<path>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


def copy_of_the_tree(folder: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", ".*", "*.so", "*.c", "build", "dist")
    for name in ("banyan", "contracts", "proxy", "railscompat", "services", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for file in ("pyproject.toml", "routing.yaml", "routes.yaml"):
        shutil.copy(ROOT / file, folder)


def apply(folder: Path, what: str, path: str, text: str) -> None:
    file = folder / path
    if what == "file":
        assert not file.exists(), f"{path} is there already; the guide must add something new"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        return
    lines = text.splitlines()
    before = "".join(f"{line[2:]}\n" for line in lines if line.startswith("- "))
    after = "".join(f"{line[2:]}\n" for line in lines if line.startswith("+ "))
    whole = file.read_text("utf-8")
    assert whole.count(before) == 1, f"{path} does not hold once:\n{before}"
    file.write_text(whole.replace(before, after), "utf-8")


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={
            **{name: os.environ[name] for name in ("PATH", "HOME", "BANYAN_CACHE") if name in os.environ},
            "PYTHONPATH": str(folder),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_guide_is_right(tmp_path: Path) -> None:
    copy_of_the_tree(tmp_path)
    blocks = list(BLOCK.finditer(GUIDE.read_text("utf-8")))
    assert len(blocks) == GUIDE.read_text("utf-8").count("\n```") // 2
    for block in blocks:
        apply(tmp_path, block["what"], block["path"], block["text"])
    new = [block["path"] for block in blocks if block["path"].endswith(".py")]
    run(tmp_path, "ruff", "check", *new)
    run(tmp_path, "ruff", "format", "--check", *new)
    assert run(tmp_path, "banyan.cli", "sql", "check").endswith(" 0 findings\n")
    said = run(
        tmp_path,
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-n",
        "0",
        "tests/integration/services/test_tags.py",
    )
    assert "1 passed" in said
