# SPDX-License-Identifier: AGPL-3.0-or-later
"""Build the compiled scanner beside its source: `python build_compiled.py`.

Optional: without it (no compiler, no Cython, another interpreter) everything works, at more CPU per request. Exit code
0: built or up to date, 1: it cannot be built here, and why.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

MODULE = "proxy.dataplane._scan"
SOURCE = Path(__file__).parent / "proxy" / "dataplane" / "_scan.pyx"


def target() -> Path:
    """The extension module's file for this interpreter."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    return SOURCE.with_name(f"_scan{suffix}")


def build() -> str | None:
    """Build; None when it is there, else why it cannot be."""
    if target().exists() and target().stat().st_mtime >= SOURCE.stat().st_mtime:
        return None
    compiler = shlex.split(os.environ.get("CC") or "cc")
    if shutil.which(compiler[0]) is None:
        return f"there is no C compiler ({compiler[0]}); set CC to one"
    include = sysconfig.get_path("include")
    if not (Path(include) / "Python.h").exists():
        return f"Python's headers are not in {include}"
    if importlib.util.find_spec("Cython") is None:
        return "Cython is not installed"
    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder) / "_scan.c"
        made = Path(folder) / "_scan.so"
        translate = [
            sys.executable,
            "-m",
            "cython",
            "-3",
            "--module-name",
            MODULE,
            str(SOURCE),
            "-o",
            str(code),
        ]
        problem = _run("Cython", translate)
        if problem is not None:
            return problem
        flags = ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
        command = [
            *compiler,
            "-O3",
            "-fPIC",
            "-shared",
            "-w",
            *flags,
            f"-I{include}",
            str(code),
            "-o",
            str(made),
        ]
        problem = _run("the C compiler", command)
        if problem is not None:
            return problem
        shutil.copyfile(made, target().with_suffix(".new"))
        target().with_suffix(".new").replace(target())
    return None


def _run(name: str, command: list[str]) -> str | None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"{name} failed:\n{done.stdout}{done.stderr}" if done.returncode else None


def main() -> int:
    """Entry point."""
    problem = build()
    if problem is not None:
        sys.stderr.write(f"banyan: no compiled scanner: {problem}. The one in Python is used.\n")
        return 1
    sys.stdout.write(f"{target().name} is up to date\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
