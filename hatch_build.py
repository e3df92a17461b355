# SPDX-License-Identifier: AGPL-3.0-or-later
"""Wheels with the compiled modules: `BANYAN_COMPILE=1 pip wheel .`. Without the setting a wheel is pure Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledModules(BuildHookInterface[Any]):
    """Builds the extensions and takes them in."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects files."""
        if os.environ.get("BANYAN_COMPILE") != "1":
            return
        sys.path.insert(0, str(Path(__file__).parent))
        import build_compiled

        problem = build_compiled.build()
        if problem is not None:
            raise RuntimeError(f"BANYAN_COMPILE=1, but there are no compiled modules: {problem}")
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["artifacts"].append("proxy/_compiled/*")
