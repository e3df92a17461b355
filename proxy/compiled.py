# SPDX-License-Identifier: AGPL-3.0-or-later
"""One source, two forms: modules of the hot path run compiled where there was a compiler.

The sources stay what is read, typed and tested; a `.pxd` beside a module says how its classes lie in C. What
`build_compiled.py` makes of them is in `proxy/_compiled`, and found before the sources: all of it or nothing, and only
if it was made from these very sources, whose digest lies beside it.

`BANYAN_PURE=1` in the environment keeps to Python.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from hashlib import blake2b
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

PACKAGE: Final = Path(__file__).parent
FOLDER: Final = PACKAGE / "_compiled"
SUFFIX: Final = EXTENSION_SUFFIXES[0]
_DIGEST: Final = FOLDER / "digest"


class _Finder(MetaPathFinder):
    """Finds the compiled modules."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """importlib: where a module is; None for those of others."""
        file = FOLDER / f"{fullname}{SUFFIX}"
        if not fullname.startswith("proxy.") or not file.exists():
            return None
        return spec_from_file_location(fullname, file)


def install() -> None:
    """Let compiled modules be found, if they may."""
    if os.environ.get("BANYAN_PURE") != "1" and fits():
        sys.meta_path.insert(0, _Finder())


def fits() -> bool:
    """Whether the compiled modules were built from the sources that are here."""
    try:
        return _DIGEST.read_text() == digest()
    except OSError:
        return False


def seal() -> None:
    """Note that the modules were built from the sources as they are."""
    _DIGEST.write_text(digest())


def digest() -> str:
    """What the sources say. All count for each module, for it knows the layout of others' classes."""
    found = blake2b(SUFFIX.encode(), digest_size=16)
    for file in sources():
        found.update(f"{file.relative_to(PACKAGE)}\0".encode())
        found.update(file.read_bytes())
    return found.hexdigest()


def sources() -> list[Path]:
    """The files that compiled modules are made from: modules with a `.pxd`, and those in Cython."""
    declarations = [*PACKAGE.glob("*/*.pxd"), *PACKAGE.glob("*/*.pyx")]
    modules = [file.with_suffix(".py") for file in PACKAGE.glob("*/*.pxd")]
    return sorted([*declarations, *modules])
