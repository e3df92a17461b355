# SPDX-License-Identifier: AGPL-3.0-or-later
"""The store's load test, small: it counts right, and what is kept is small for what was compared."""

from __future__ import annotations

from loadtests.store.fill import measure
from loadtests.store.made_up import comparisons
from proxy.experiment.evidence import Evidence
from proxy.experiment.outcome import Outcome
from proxy.experiment.tally import Tally

ENDS = 1_790_000_000.0


async def test_a_small_fill_is_written_whole_and_stays_small() -> None:
    figures = await measure(6_000, edges=2, batch=1_000)
    assert figures["comparisons"] == 6_000
    assert figures["writes"] == 6
    # The first comparisons cost most: each brings new routes, findings and samples. 2,000,000 take less than 200 MB.
    assert figures["store_mb"] < 20
    assert figures["expired_rows"] > 0


def test_made_up_comparisons_are_the_same_every_time_and_of_every_kind() -> None:
    first, again = list(comparisons(500, ENDS)), list(comparisons(500, ENDS))
    assert first == again
    tally = Tally()
    for pair, comparison in first:
        tally.add(pair, comparison)
    outcomes = Evidence.of(tally.take()).outcomes
    assert sum(outcomes.values()) == 500
    assert {outcome for outcome, times in outcomes.items() if times} >= {Outcome.MATCH, Outcome.MISMATCH}
