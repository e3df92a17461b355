# SPDX-License-Identifier: AGPL-3.0-or-later
"""The diff store: the edge's evidence in PostgreSQL, schema `banyan` (made by `banyan migrate`).

    Writer: tally.take() → Store.write(batch) …   one transaction a second, however many comparisons
    Store.evidence(…) → Evidence                  for reports, pages and gates
    Store.expire(now)                             old hours, samples and findings go, a thousand rows at a time

Invariants
    * A batch counts once, however often it is sent: its id is recorded in the same transaction.
    * Every writer touches tables and rows in the same order, so any number of edges may write at once; expiry only
      takes rows that nobody holds.
    * What is kept is bounded: sums by the hour, at most `MOST_FINDINGS` findings a route, five samples each; all of it
      ends by `Keep`. What is beyond a bound is counted as lost.
    * No secret gets here: samples are redacted when they are made (tally).

Vocabulary: a *series* is what comparisons are counted by; a *sighting* counts a finding by build and hour.
"""

from proxy.experiment.store.errors import StoreError
from proxy.experiment.store.keep import Keep
from proxy.experiment.store.store import Store
from proxy.experiment.store.writer import Writer

__all__ = ["Keep", "Store", "StoreError", "Writer"]
