# SPDX-License-Identifier: AGPL-3.0-or-later
"""Charts as SVG. Pure. Every chart says in words what it shows; sides differ by dash, not only by colour."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from markupsafe import Markup, escape

from proxy.dashboard.readmodel import Distribution, Series, SideFigures

_WIDTH: Final = 720
_HEIGHT: Final = 150
_LEFT: Final = 52
_BOTTOM: Final = 22


def share_bar(share: float, old: str, new: str) -> Markup:
    """How much each side answers."""
    width = round(share * 1.2, 1)
    label = f"{old} {100 - share:g} %, {new} {share:g} %"
    return Markup(
        f'<svg class="share" role="img" aria-label="{escape(label)}" viewBox="0 0 120 12" width="120" height="12">'
        '<rect class="old" width="120" height="12" rx="2"/>'
        f'<rect class="new" width="{width}" height="12" rx="2"/></svg>'
    )


def sparkline(side_old: SideFigures, side_new: SideFigures) -> Markup:
    """The 95th percentiles of both sides lately."""
    old, new = side_old.p95s, side_new.p95s
    top = max((*old, *new), default=0.0)
    if top <= 0:
        return Markup('<span class="none">no traffic</span>')
    lines = "".join(
        f'<polyline class="line {name}" points="{_points(values, 90, 22, top)}"/>'
        for name, values in (("old", old), ("new", new))
        if len(values) > 1
    )
    label = f"95th percentile lately: {side_old.backend} {_last(old)}, {side_new.backend} {_last(new)}"
    return Markup(
        f'<svg class="spark" role="img" aria-label="{escape(label)}" viewBox="0 0 90 24" width="90" height="24">'
        f"{lines}</svg>"
    )


def history(series: Series, what: str, unit: str, old: str, new: str) -> Markup:
    """Both sides of `what` (`rate`, `errors` or `p95`) over time, with the steps marked."""
    first: tuple[float, ...] = getattr(series, f"old_{what}")
    second: tuple[float, ...] = getattr(series, f"new_{what}")
    if len(series.at) < 2:
        return Markup('<p class="none">Not enough has been seen yet.</p>')
    begin, end = series.at[0], series.at[-1]
    top = max((*first, *second, 1e-9)) * 1.05
    wide, high = _WIDTH - _LEFT, _HEIGHT - _BOTTOM
    parts = [_axis(top, unit, begin, end)]
    for at, share in series.steps:
        if begin <= at <= end:
            x = _LEFT + (at - begin) / (end - begin) * wide
            parts.append(
                f'<g class="step"><line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{high}"/>'
                f'<text x="{x + 3:.1f}" y="10">{share:g} %</text></g>'
            )
    for name, values in (("old", first), ("new", second)):
        points = _points(values, wide, high, top, _LEFT)
        parts.append(f'<polyline class="line {name}" points="{points}"/>')
    words = {"rate": "requests per second", "errors": "errors", "p95": "95th percentile"}[what]
    label = f"{words} over time: {old} {_last(first)} {unit}, {new} {_last(second)} {unit} at the end"
    return _chart(label, parts)


def distribution(old: Distribution, new: Distribution, old_name: str, new_name: str) -> Markup:
    """Latencies of both sides, each as shares of its own requests; the scale is logarithmic."""
    sides = [("old", _shares(old)), ("new", _shares(new))]
    used = [index for _, shares in sides for index, share in enumerate(shares) if share]
    if not used:
        return Markup('<p class="none">No request has been measured yet.</p>')
    first, last = min(used), max(used)
    top = max(share for _, shares in sides for share in shares) * 1.05
    count = last - first + 1
    wide, high = _WIDTH - _LEFT, _HEIGHT - _BOTTOM
    width = wide / count
    parts = [f'<text x="0" y="12">{top * 100:.0f} %</text>']
    for place, (name, shares) in enumerate(sides):
        for index in range(first, last + 1):
            height = shares[index] / top * high
            x = _LEFT + (index - first) * width + place * width / 2
            parts.append(
                f'<rect class="bar {name}" x="{x:.1f}" y="{high - height:.1f}" width="{max(width / 2 - 0.5, 0.5):.1f}" '
                f'height="{height:.1f}"/>'
            )
    bounds = old.bounds_ms
    for index in range(first, last + 1, -(-count // 6)):
        text = f"≤ {_short(bounds[index])} ms" if index < len(bounds) else f"> {_short(bounds[-1])} ms"
        parts.append(f'<text x="{_LEFT + (index - first) * width:.1f}" y="{_HEIGHT - 6}">{text}</text>')
    label = f"latencies: {old_name} mostly {_mode(old)}, {new_name} mostly {_mode(new)}"
    return _chart(label, parts)


def _chart(label: str, parts: Sequence[str]) -> Markup:
    return Markup(
        f'<svg class="chart" role="img" aria-label="{escape(label)}" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
        f"{''.join(parts)}</svg>"
    )


def _axis(top: float, unit: str, begin: float, end: float) -> str:
    high = _HEIGHT - _BOTTOM
    lines = "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        for y in (0.5, high / 2, high)
    )
    return (
        f'{lines}<text x="0" y="12">{_short(top)} {escape(unit)}</text><text x="0" y="{high}">0</text>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 6}">{_ago(end - begin)} ago</text>'
        f'<text class="end" x="{_WIDTH}" y="{_HEIGHT - 6}">now</text>'
    )


def _points(values: Sequence[float], wide: float, high: float, top: float, left: float = 0.0) -> str:
    step = wide / max(len(values) - 1, 1)
    return " ".join(
        f"{left + index * step:.1f},{high - value / top * high + 1:.1f}" for index, value in enumerate(values)
    )


def _shares(side: Distribution) -> list[float]:
    total = sum(side.counts)
    return [count / total if total else 0.0 for count in side.counts]


def _mode(side: Distribution) -> str:
    shares = _shares(side)
    if not any(shares):
        return "nothing"
    index = max(range(len(shares)), key=shares.__getitem__)
    bounds = (0.0, *side.bounds_ms)
    edges = list(pairwise(bounds))
    return f"{_short(edges[index][0])} to {_short(edges[index][1])} ms" if index < len(edges) else "very slow"


def _last(values: Sequence[float]) -> str:
    return _short(values[-1]) if values else "nothing"


def _short(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _ago(seconds: float) -> str:
    if seconds >= 7200:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
