# SPDX-License-Identifier: AGPL-3.0-or-later
"""From what each subject showed in a round to how they compare, and from rounds to rows. Pure.

Names of figures say their unit. `throughput_rps` also becomes `throughput_ratio`, a figure that begins with `cpu_`
also `cpu_ratio` (both to nginx), `p50_us` and `p99_us` also `added_…` (over the origin without a proxy) and
`added_…_over_nginx`. All of them within one round.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from loadtests.bench.report import Row
from loadtests.bench.stats import spread

REFERENCE: Final = "nginx"
DIRECT: Final = "direct"
_PERCENTILES: Final = ("p50", "p99")

Figures = dict[str, float]
Round = Mapping[str, Figures]
"""Subject → its figures in one round."""


def compared(shown: Round, to: str = REFERENCE) -> dict[str, Figures]:
    """The round with the figures that come of comparing with the subject `to`; nothing is compared with what is
    missing."""
    reference = shown.get(to, {})
    direct = shown.get(DIRECT, {})
    found = {
        name: {**figures, **_ratios(figures, reference), **_added(name, figures, direct, reference)}
        for name, figures in shown.items()
    }
    if to != REFERENCE:
        for figures in found.values():
            figures.update(_latency_ratios(figures, reference))
    return found


def _latency_ratios(figures: Figures, reference: Figures) -> Figures:
    """Of the same program in two conditions; between programs differences say more."""
    return {
        f"{which}_ratio": figures[f"{which}_us"] / to
        for which in _PERCENTILES
        if f"{which}_us" in figures and (to := reference.get(f"{which}_us"))
    }


def _ratios(figures: Figures, reference: Figures) -> Figures:
    found: Figures = {}
    for metric, value in figures.items():
        to = reference.get(metric)
        if not to:
            continue
        if metric == "throughput_rps":
            found["throughput_ratio"] = value / to
        elif metric.startswith("cpu_"):
            found["cpu_ratio"] = value / to
    return found


def _added(name: str, figures: Figures, direct: Figures, reference: Figures) -> Figures:
    found: Figures = {}
    for which in _PERCENTILES:
        metric = f"{which}_us"
        if name == DIRECT or metric not in figures or metric not in direct:
            continue
        found[f"added_{which}_us"] = figures[metric] - direct[metric]
        if metric in reference and name != REFERENCE:
            found[f"added_{which}_over_{REFERENCE}_us"] = figures[metric] - reference[metric]
    return found


def rows(case: str, rounds: Iterable[Round], reference: str = REFERENCE) -> list[Row]:
    """One row for each subject and figure, in the order in which they first appeared."""
    series: dict[tuple[str, str], list[float]] = defaultdict(list)
    for shown in rounds:
        for subject, figures in compared(shown, reference).items():
            for metric, value in figures.items():
                series[subject, metric].append(value)
    return [Row(case, subject, metric, *spread(values)) for (subject, metric), values in series.items()]
