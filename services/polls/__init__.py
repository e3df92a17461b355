# SPDX-License-Identifier: AGPL-3.0-or-later
"""Polls, their votes (stances) and outcomes, as far as others ask what somebody may do with them.

Tables: `polls`, `stances`, `outcomes`, and the `discussion_readers` of their threads; `redeem` writes stances.
Routes: none yet. Facts: `store.load_facts`, `store.load_stance_facts`, by id; policies over them, for options and
templates too. An outcome has no facts of its own: its poll's decide.

Invariants
    * Who sees a poll sees its votes and outcomes, as records: what of a vote is shown is another question.
    * Neither the archival of its group nor the privacy of its thread hides a poll (Loomio's
      queries/poll_query.rb).

Vocabulary: **member** of a poll, a member of its group, a guest of its thread or a guest with a vote; **admin** of a
poll, see `policy.is_admin`; **active**, taking votes.
"""
