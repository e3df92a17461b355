# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fills a store and measures it; exit code 1 where it is larger or slower than it may be."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from loadtests.store.fill import LARGEST_MB, SLOWEST_SECONDS, measure


def main() -> int:
    """Run it by the command line's wishes."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.store", description=__doc__)
    parser.add_argument("--comparisons", type=int, default=2_000_000)
    parser.add_argument("--edges", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1_000, help="comparisons in a write")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    asked = parser.parse_args()
    figures = asyncio.run(
        measure(asked.comparisons, edges=asked.edges, batch=asked.batch, progress=_progress)
    )
    text = json.dumps(figures, indent=2)
    print(text)
    if asked.json:
        asked.json.write_text(text + "\n", "utf-8")
    return int(figures["store_mb"] > LARGEST_MB or figures["report_seconds"] > SLOWEST_SECONDS)


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
