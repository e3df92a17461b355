# SPDX-License-Identifier: AGPL-3.0-or-later
"""Versions: what changed in a group, thread, comment, vote, poll or outcome, step by step.

Tables: `versions` (PaperTrail's), read only. Routes: `versions#show`.

Invariants
    * Whoever sees the record sees its versions, all of each.
    * `index` counts from the oldest, by time and then id; below zero it counts from the newest.
      `previous_id` goes by ids alone, and may differ from what was before by time.

A version that is not there is a 404 here. Loomio 3.0.17 falls over (500); later ones answer as we do.
"""
