# SPDX-License-Identifier: AGPL-3.0-or-later
"""One source, two forms: modules of the hot path run compiled where there was a compiler.

The sources stay what is read, typed and tested; a `.pxd` beside a module says how its classes lie in C. What
`build_compiled.py` makes of them is in `proxy/_compiled`, and found before the sources: all of it or nothing, and only
if it was made from these very sources, whose digests lie beside it.

`BANYAN_PURE=1` in the environment keeps to Python.
"""

from __future__ import annotations

import json
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
_DIGESTS: Final = FOLDER / "digests.json"


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
    return built() == digests()


def built() -> dict[str, str]:
    """What the compiled modules were built from, as `digests` has it; nothing where there are none."""
    try:
        digests_then: dict[str, str] = json.loads(_DIGESTS.read_text())
    except (OSError, ValueError):
        return {}
    return digests_then


def seal() -> None:
    """Note that the modules were built from the sources as they are."""
    _DIGESTS.write_text(json.dumps(digests(), indent=1))


def unseal() -> None:
    """Make the folder, and have nothing in it be found."""
    FOLDER.mkdir(exist_ok=True)
    _DIGESTS.unlink(missing_ok=True)


def digests() -> dict[str, str]:
    """Module → digest of its source and of all declarations, for it knows the layout of others' classes."""
    layout = blake2b(SUFFIX.encode(), digest_size=16)
    for file in sorted(PACKAGE.glob("*/*.pxd")):
        layout.update(f"{file.relative_to(PACKAGE)}\0".encode())
        layout.update(file.read_bytes())
    found = {}
    for module, source in sources().items():
        digest = layout.copy()
        digest.update(source.read_bytes())
        found[module] = digest.hexdigest()
    return found


def sources() -> dict[str, Path]:
    """Module → what it is compiled from: those with a `.pxd`, and those in Cython."""
    files = [*(file.with_suffix(".py") for file in PACKAGE.glob("*/*.pxd")), *PACKAGE.glob("*/*.pyx")]
    return {f"{PACKAGE.name}.{file.parent.name}.{file.stem}": file for file in sorted(files)}
