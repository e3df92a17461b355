# SPDX-License-Identifier: AGPL-3.0-or-later
"""Compiled modules are taken whole, only if they were made from these sources, and only where they are wanted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from proxy import compiled

_ASK = "import proxy.dataplane.edge, proxy.routing.split; print(proxy.dataplane.edge.__file__)"


def file_of_the_edge(**environment: str) -> str:
    """Which file another process takes the edge from."""
    done = subprocess.run(
        [sys.executable, "-c", _ASK],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
        cwd=compiled.PACKAGE.parent,
    )
    return done.stdout.strip()


def test_python_is_kept_to_where_that_is_wanted() -> None:
    assert file_of_the_edge(BANYAN_PURE="1").endswith("edge.py")


def test_compiled_modules_are_taken_where_they_fit() -> None:
    assert file_of_the_edge(BANYAN_PURE="").endswith(compiled.SUFFIX) is compiled.fits()


WRITTEN_IN_PYTHON = [module for module, source in compiled.sources().items() if source.suffix == ".py"]


@pytest.mark.parametrize("module", [*WRITTEN_IN_PYTHON, "proxy.dataplane.proxyprotocol"])
def test_whichever_is_imported_first_finds_the_others(module: str) -> None:
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True, cwd=compiled.PACKAGE.parent)


def test_other_sources_make_them_unfit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "part").mkdir()
    for name, text in (("a.py", "x = 1\n"), ("a.pxd", ""), ("b.pyx", "y = 2\n"), ("c.py", "z = 3\n")):
        (tmp_path / "part" / name).write_text(text)
    monkeypatch.setattr(compiled, "PACKAGE", tmp_path)
    monkeypatch.setattr(compiled, "FOLDER", tmp_path / "_compiled")
    monkeypatch.setattr(compiled, "_DIGESTS", tmp_path / "_compiled" / "digests.json")
    assert [file.name for file in compiled.sources().values()] == ["a.py", "b.pyx"]
    assert not compiled.fits()
    compiled.unseal()
    compiled.seal()
    assert compiled.fits()
    (tmp_path / "part" / "c.py").write_text("z = 4\n")
    assert compiled.fits()
    (tmp_path / "part" / "a.py").write_text("x = 2\n")
    assert not compiled.fits()
    compiled.seal()
    (tmp_path / "part" / "a.pxd").write_text("cdef int x\n")
    assert not compiled.fits()
