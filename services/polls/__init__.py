# SPDX-License-Identifier: AGPL-3.0-or-later
"""Polls, their votes (stances) and outcomes, as far as others ask whether somebody may see them.

Tables: `polls`, `stances`, `outcomes`, and the `discussion_readers` of their threads.
Routes: none yet.

Invariants
    * Who sees a poll sees its votes and outcomes, as records: what of a vote is shown is another question.
    * Neither the archival of its group nor the privacy of its thread hides a poll (Loomio's
      queries/poll_query.rb).
"""
