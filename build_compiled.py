# SPDX-License-Identifier: AGPL-3.0-or-later
"""Build the compiled forms of the hot path's modules: `python build_compiled.py`.

Optional: without them (no compiler, no Cython, another interpreter) everything works, at more CPU per request.
Exit code 0: built or up to date, 1: it cannot be built here, and why.
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
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from proxy import compiled

ROOT = Path(__file__).parent
# Types come from the .pxd files alone: annotations are for mypy, and str or int there may be an enumeration.
DIRECTIVES = ("annotation_typing=False", "nonecheck=True", "embedsignature=False")


def build() -> str | None:
    """Build; None when all is there, else why it cannot be."""
    wanted, there = compiled.digests(), compiled.built()
    stale = [
        module
        for module, digest in wanted.items()
        if there.get(module) != digest or not _file(module).exists()
    ]
    if not stale and there == wanted:
        return None
    compiler = shlex.split(os.environ.get("CC") or "cc")
    if shutil.which(compiler[0]) is None:
        return f"there is no C compiler ({compiler[0]}); set CC to one"
    include = sysconfig.get_path("include")
    if not (Path(include) / "Python.h").exists():
        return f"Python's headers are not in {include}"
    if importlib.util.find_spec("Cython") is None:
        return "Cython is not installed"
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(os.cpu_count()) as several:
        made = Path(name)
        command = [*compiler, "-O3", "-fPIC", "-shared", "-w", f"-I{include}"]
        if sys.platform == "darwin":
            command += ["-undefined", "dynamic_lookup"]
        problems = list(several.map(partial(_build, made, command), stale))
        problem = next(filter(None, problems), None)
        if problem is None:
            _put(made)
    return problem


def _file(module: str) -> Path:
    return compiled.FOLDER / f"{module}{compiled.SUFFIX}"


def _build(made: Path, compiler: list[str], module: str) -> str | None:
    """One module, into the folder `made`."""
    source = compiled.sources()[module]
    code = made / f"{module}.c"
    directives = [word for directive in DIRECTIVES for word in ("-X", directive)]
    translate = [sys.executable, "-m", "cython", "-3", *directives, "--module-name", module]
    problem = _run(f"Cython ({module})", [*translate, str(source), "-o", str(code)])
    return problem or _run(
        f"the C compiler ({module})", [*compiler, str(code), "-o", str(made / f"{module}{compiled.SUFFIX}")]
    )


def _put(made: Path) -> None:
    """The modules to their place; the digests last, for they say that the others are whole."""
    compiled.unseal()
    for file in made.glob(f"*{compiled.SUFFIX}"):
        shutil.copy(file, compiled.FOLDER / f"{file.name}.new")
        (compiled.FOLDER / f"{file.name}.new").replace(compiled.FOLDER / file.name)
    for file in compiled.FOLDER.glob(f"*{compiled.SUFFIX}"):
        if file.name.removesuffix(compiled.SUFFIX) not in compiled.sources():
            file.unlink()
    compiled.seal()


def _run(name: str, command: list[str]) -> str | None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return f"{name} failed:\n{done.stdout}{done.stderr}" if done.returncode else None


def main() -> int:
    """Entry point."""
    problem = build()
    if problem is not None:
        sys.stderr.write(f"banyan: no compiled modules: {problem}. The edge runs in Python.\n")
        return 1
    sys.stdout.write("the compiled modules are up to date\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
