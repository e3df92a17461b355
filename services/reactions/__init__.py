# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reactions to threads, comments, polls, votes and outcomes.

Tables: `reactions`, read only. Routes: `reactions#index`.

Invariants
    * Whoever asks for the reactions on several records sees all of these records' threads and polls, or
      gets nothing. A comment counts by its thread, discarded or not; a vote or an outcome by its poll. A
      record that is not there counts as one that may not be seen where it is a thread or a poll, and as
      nothing otherwise.
    * The order of reactions is not part of the contract; here it is that of their ids.
"""
