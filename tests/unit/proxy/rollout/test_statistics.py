# SPDX-License-Identifier: AGPL-3.0-or-later
"""The bounds: they hold at every look, shrink with evidence, and know when users repeat themselves."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.rollout.statistics import (
    Count,
    design_effect,
    difference_bounds,
    mean_half_width,
    rate_bounds,
    superiority,
)


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.sampled_from([1e-4, 1e-2, 0.05]))
def test_a_rate_lies_between_its_bounds(hits: int, misses: int, alpha: float) -> None:
    count = Count(hits, hits + misses)
    low, high = rate_bounds(count, alpha)
    assert 0 <= low <= count.rate + 1e-9
    assert (high >= count.rate - 1e-9 and high <= 1) or not count.trials


def test_bounds_shrink_with_evidence_and_widen_with_certainty() -> None:
    widths = [(b := rate_bounds(Count(n / 100, n), 0.01)).high - b.low for n in (100, 1_000, 10_000)]
    assert widths == sorted(widths, reverse=True)
    assert rate_bounds(Count(1, 100), 1e-4).high > rate_bounds(Count(1, 100), 1e-2).high


def test_looking_after_every_request_raises_no_more_false_alarms_than_promised() -> None:
    """2,000 series of 300 requests, each looked at 300 times, at 5 %."""
    random, wrong = Random(1), 0
    for _ in range(2_000):
        hits = 0
        for trials in range(1, 301):
            hits += random.random() < 0.1
            if trials % 10 == 0 and not (b := rate_bounds(Count(hits, trials), 0.05)).low <= 0.1 <= b.high:
                wrong += 1
                break
    assert wrong <= 0.05 * 2_000


def test_a_difference_is_bounded_by_both() -> None:
    low, high = difference_bounds(Count(60, 10_000), Count(1_000, 1_000_000), 1e-4)
    assert 0 < low < 0.005 < high
    assert difference_bounds(Count(0, 0), Count(0, 0), 0.01) == (-1, 1)


def test_superiority_is_even_for_equals_and_certain_for_the_slower() -> None:
    assert superiority([1, 2, 1], [10, 20, 10]).chance == pytest.approx(0.5)
    assert superiority([0, 0, 9], [9, 0, 0]).chance == 1
    assert superiority([0, 0], [1, 1]).chance == 0.5


def test_superiority_agrees_with_counting_pairs() -> None:
    random = Random(2)
    new, old = ([random.randrange(9) for _ in range(8)] for _ in range(2))
    pairs = won = 0.0
    for a, first in enumerate(new):
        for b, second in enumerate(old):
            pairs += first * second
            won += first * second * (1 if a > b else 0.5 if a == b else 0)
    assert superiority(new, old).chance == pytest.approx(won / pairs)


def test_a_mean_is_bounded_closer_with_more_samples() -> None:
    assert mean_half_width(1, 0, 0.01) == float("inf")
    assert mean_half_width(1, 10_000, 0.01) < mean_half_width(1, 1_000, 0.01) < mean_half_width(1, 100, 0.01)


def test_a_hundred_errors_of_one_user_weigh_as_one() -> None:
    requests, errors = [1_000] * 64, [0] * 64
    errors[7] = 100
    rate = 100 / 64_000
    assert design_effect(requests, errors, rate * (1 - rate)) == pytest.approx(100, rel=0.05)


def test_errors_that_lie_as_chance_would_have_it_are_independent() -> None:
    random, effects = Random(3), []
    for _ in range(100):
        errors = [sum(random.random() < 0.05 for _ in range(100)) for _ in range(64)]
        rate = sum(errors) / 6_400
        effects.append(design_effect([100] * 64, errors, rate * (1 - rate)))
    assert sum(effects) / len(effects) < 1.15
