# SPDX-License-Identifier: AGPL-3.0-or-later
"""One life under the real controller's decisions, tick by tick."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random

from loadtests.rollout.lives import Life
from loadtests.rollout.sampling import Served, poisson
from proxy.rollout.decide import decide
from proxy.rollout.evidence import Comparisons, Evidence, Recent, Sample, Side, Traffic
from proxy.rollout.phases import Phase
from proxy.rollout.policy import Policy
from proxy.rollout.state import State
from proxy.telemetry.crowd import STRATA

HOUR = 3600.0
SHADOW_BUDGET = 50.0  # comparisons a second, as a backend's `shadow: {rate: 50/s}`


@dataclass(slots=True)
class Told:
    """How a life went. Times are seconds; `excess`: the most errors beyond the old side's own in any hour, as a share
    of the group's requests in that hour."""

    highest: float = 0.0
    full_after: float | None = None
    back_after: float | None = None
    why: str = ""
    excess: float = 0.0
    reached: dict[float, float] = field(default_factory=dict)


def live(life: Life, policy: Policy, seed: int, *, hours: float = 24.0, tick: float = 30.0) -> Told:
    """Simulate until the top, a rollback, or the end."""
    random = Random(seed)
    state = State("u", Phase.SHADOW, 0.0, build="b")
    told = Told()
    epoch, since = -1, 0.0
    compared = differing = 0
    old, new = Served(), Served()
    recent: deque[tuple[Recent, Recent]] = deque(maxlen=max(1, round(policy.gates.burst.window / tick)))
    hour: deque[tuple[float, float]] = deque(maxlen=round(HOUR / tick))
    before, after = life.populations(0, seed)
    now = 0.0
    while now < hours * HOUR:
        if state.epoch != epoch:
            epoch, since = state.epoch, now
            old, new = Served(), Served()
            recent.clear()
            before, after = life.populations(state.share, seed)
        now += tick
        expected = life.rate * life.shape(now) * tick
        asked_old, failed_old = old.serve(random, before, expected)
        asked_new, failed_new = (
            new.serve(random, after, expected) if state.share else ([0] * STRATA, [0] * STRATA)
        )
        recent.append((_recent(asked_old, failed_old), _recent(asked_new, failed_new)))
        pairs = poisson(random, min(sum(asked_old), SHADOW_BUDGET * tick))
        compared += pairs
        differing += min(pairs, poisson(random, pairs * life.differences))
        hour.append((sum(failed_new) - life.errors * sum(asked_new), float(sum(asked_old) + sum(asked_new))))
        total = sum(requests for _, requests in hour)
        if total and len(hour) == hour.maxlen:
            told.excess = max(told.excess, sum(errors for errors, _ in hour) / total)
        traffic = Traffic(_side(old, [one for one, _ in recent]), _side(new, [one for _, one in recent]))
        evidence = Evidence("g", "b", now - since, now, traffic, Comparisons(compared, differing))
        decision = decide(state, [evidence], policy, now)
        state = decision.next
        told.reached.setdefault(state.share, now)
        told.highest = max(told.highest, state.share)
        if state.phase is Phase.SOAKING:
            told.full_after = now
            return told
        if state.phase is Phase.ROLLED_BACK:
            told.back_after, told.why = now, state.reason
            _rest_of_the_hour(told, hour, life.rate * tick)
            return told
    return told


def _rest_of_the_hour(told: Told, hour: deque[tuple[float, float]], requests: float) -> None:
    """After a rollback the hour goes on, without further errors of the new side."""
    while len(hour) < (hour.maxlen or 0):
        hour.append((0.0, requests))
    total = sum(count for _, count in hour)
    if total:
        told.excess = max(told.excess, sum(errors for errors, _ in hour) / total)


def _recent(asked: list[int], failed: list[int]) -> Recent:
    return Recent([float(one) for one in asked], [float(one) for one in failed])


def _side(served: Served, recent: list[Recent]) -> Side:
    last = Recent()
    for one in recent:
        last.merge(one)
    # The histogram is drawn apart from the strata, so its sum is another draw of the same mean.
    sample = Sample(float(sum(served.crowd.requests)), float(sum(served.crowd.errors)), served.bins)
    return Side({"r": sample}, served.crowd, last)
