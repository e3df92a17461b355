# SPDX-License-Identifier: AGPL-3.0-or-later
"""Minimum, median, maximum; percentiles."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Spread(NamedTuple):
    """What several rounds showed."""

    minimum: float
    median: float
    maximum: float
    rounds: int


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value."""
    return Spread(min(values), statistics.median(values), max(values), len(values))


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest of `ordered` (ascending, not empty) that `share` (0 to 1) of all do not exceed: the nearest rank."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
