# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bounds that hold however often one looks.

All of these are confidence sequences: with probability 1 − alpha a true value never leaves its bounds, at any of
infinitely many looks (Ville's inequality). So a controller may look every second without raising false alarms.

- A share (errors, slow answers, differences) is bounded by a mixture of likelihood ratios over Beta(1/2, 1/2): exact
  for independent trials, at any count (Robbins 1970; Howard et al. 2021).
- A difference of two shares is bounded by the bounds of both, each at half of alpha.
- A mean is bounded by Robbins' normal mixture with its estimated variance: asymptotic (Waudby-Smith et al. 2021), so
  it is asked only beyond a hundred samples or so.
- Users repeat themselves. The design effect compares how much 64 random groups of users differ with how much they
  would if requests were independent; counts are divided by it, so a hundred errors of one user weigh as one.

docs/decisions says why these and not others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

_PRIOR: Final = 0.5  # Jeffreys': tight near 0, where error rates live
_HALVINGS: Final = 40
_TUNED_AT: Final = 2_000.0  # a mean's bounds are tightest at about so many samples


class Bounds(NamedTuple):
    """What a value lies between."""

    low: float
    high: float


class Count(NamedTuple):
    """`hits` of `trials`; neither need be whole, for they may be divided by a design effect."""

    hits: float
    trials: float

    @property
    def rate(self) -> float:
        """The share of hits; 0 where there were no trials."""
        return self.hits / self.trials if self.trials else 0.0

    def thinned(self, effect: float) -> Count:
        """What the count is worth when its trials are not independent."""
        return Count(self.hits / effect, self.trials / effect)


def rate_bounds(count: Count, alpha: float) -> Bounds:
    """Bounds of a share."""
    if count.trials <= 0:
        return Bounds(0.0, 1.0)
    hits, misses = count.hits, max(0.0, count.trials - count.hits)
    # A share is refuted where the mixture explains the counts 1/alpha times better than it does.
    mixture = _log_beta(hits + _PRIOR, misses + _PRIOR) - _log_beta(_PRIOR, _PRIOR) + math.log(alpha)

    def refuted(share: float) -> bool:
        likelihood = hits * math.log(share) if hits else 0.0
        return mixture >= likelihood + (misses * math.log1p(-share) if misses else 0.0)

    low = _border(refuted, 0.0, count.rate) if hits > 0 else 0.0
    high = _border(refuted, 1.0, count.rate) if misses > 0 else 1.0
    return Bounds(low, high)


def _border(refuted: Callable[[float], bool], outside: float, inside: float) -> float:
    """Where a refuted share meets a possible one, seen from the refuted side."""
    for _ in range(_HALVINGS):
        middle = (outside + inside) / 2
        if not 0.0 < middle < 1.0:
            break
        if refuted(middle):
            outside = middle
        else:
            inside = middle
    return outside


def difference_bounds(new: Count, old: Count, alpha: float) -> Bounds:
    """Bounds of the new share less the old one."""
    first, second = rate_bounds(new, alpha / 2), rate_bounds(old, alpha / 2)
    return Bounds(first.low - second.high, first.high - second.low)


def mean_half_width(variance: float, samples: float, alpha: float) -> float:
    """How far the mean of `samples` values, each of this variance, may be from the truth."""
    if samples <= 0:
        return math.inf
    looks = -2 * math.log(alpha)
    rho = (looks + math.log(looks) + 1) / _TUNED_AT
    grown = samples * rho + 1
    return math.sqrt(variance * grown / (samples**2 * rho) * math.log(grown / alpha**2))


class Superiority(NamedTuple):
    """The chance that a new request is the slower of two, ties counting half, and what each side adds to the variance
    of this estimate."""

    chance: float
    from_new: float
    from_old: float


def superiority(new: Sequence[float], old: Sequence[float]) -> Superiority:
    """Mann–Whitney's statistic on two histograms with the same bins, as a chance; variance after DeLong (1988)."""
    many_new, many_old = sum(new), sum(old)
    if not many_new or not many_old:
        return Superiority(0.5, math.inf, math.inf)
    below_old = below_new = 0.0
    chance = squared = chance_old = squared_old = (
        0.0  # sums of placements: of new among old, of old among new
    )
    for here_new, here_old in zip(new, old, strict=True):
        if here_new:
            place = (below_old + here_old / 2) / many_old
            chance += here_new * place
            squared += here_new * place * place
        if here_old:
            place = (below_new + here_new / 2) / many_new
            chance_old += here_old * place
            squared_old += here_old * place * place
        below_old += here_old
        below_new += here_new
    chance /= many_new
    spread_new = squared / many_new - chance**2
    spread_old = squared_old / many_old - (chance_old / many_old) ** 2
    return Superiority(chance, spread_new / many_new, spread_old / many_old)


def design_effect(requests: Sequence[float], sums: Sequence[float], variance: float) -> float:
    """How many requests count as one, at least 1.

    `requests[k]` and `sums[k]` are those of random group k of users, `variance` that of one request's value if all were
    independent.
    """
    total = sum(requests)
    filled = sum(1 for count in requests if count)
    if filled < 2 or variance <= 0:
        return 1.0
    mean = sum(sums) / total
    apart = sum((one - mean * count) ** 2 for one, count in zip(sums, requests, strict=True))
    return max(1.0, filled / (filled - 1) * apart / (total * variance))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
