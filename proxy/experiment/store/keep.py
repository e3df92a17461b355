# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long evidence is kept, and which samples. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

import msgspec

from proxy.experiment.evidence import SAMPLES, Sample

MOST_FINDINGS = 1_000
"""Different findings kept of one route."""

MOST_QUERIES = 200
"""Different sets of query names kept of one route: those seen last."""


class Keep(msgspec.Struct, frozen=True):
    """For how long. A sample shows what people saw, so it goes first."""

    samples: timedelta = timedelta(days=7)
    counts: timedelta = timedelta(days=30)


def places(kept: Mapping[int, float], offered: Iterable[Sample]) -> dict[int, Sample]:
    """Which of the offered samples go to which place (0 to `SAMPLES` - 1), where `kept` tells each taken place's time.

    Free places are filled; then the oldest gives way to the newest offered, one at a time, so that samples of several
    hours and builds stay side by side.
    """
    free = [place for place in range(SAMPLES) if place not in kept]
    by_age = sorted(offered, key=lambda sample: sample.at)
    taken = dict(zip(free, by_age, strict=False))
    newest = by_age[-1] if len(by_age) > len(free) else None
    if newest is not None and kept:
        oldest = min(kept, key=lambda place: kept[place])
        if newest.at > kept[oldest]:
            taken[oldest] = newest
    return taken
