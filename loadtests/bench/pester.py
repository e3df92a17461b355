# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keeps an edge's parent busy: `python -m loadtests.bench.pester ADMIN_URL ROUTING_FILE`, until it is ended.

Reads the metrics ten times a second (Prometheus asks every few seconds) and changes the routing file every second.
"""

from __future__ import annotations

import itertools
import re
import sys
import time
from pathlib import Path
from typing import Final

from loadtests.bench.subjects import get

_PAUSE: Final = 0.1
_SCRAPES_PER_RELOAD: Final = 10
_SALT: Final = re.compile(r"^salt: .*$", re.MULTILINE)


def pester(admin_url: str, routing: Path) -> None:
    """Without end."""
    text = routing.read_text("utf-8")
    salts = itertools.cycle(("s1", "s2"))
    for number in itertools.count():
        get(f"{admin_url}/metrics")
        if number % _SCRAPES_PER_RELOAD == 0:
            new = routing.with_suffix(".new")
            new.write_text(_SALT.sub(f"salt: {next(salts)}", text), "utf-8")
            new.replace(routing)
            get(f"{admin_url}/reload", post=True)
        time.sleep(_PAUSE)


if __name__ == "__main__":
    pester(sys.argv[1], Path(sys.argv[2]))
