# SPDX-License-Identifier: AGPL-3.0-or-later
"""Threads, as far as others ask what somebody may do with them.

Tables: `discussions`, `discussion_readers` (guests and admins), and whose group it is; `redeem` writes readers and
their numbers. Routes: none yet. Facts: `store.load_facts`, by id; policies over them, for the readers of threads, their
events (pinning one is changing its thread) and their templates too.

Vocabulary: **member** of a thread, whoever is a member of its group or a guest; **admin** of a thread, an admin
of its group or of the thread itself; **direct**, without a group.
"""
