# SPDX-License-Identifier: AGPL-3.0-or-later
"""Threads, as far as others ask whether somebody may see them.

Tables: `discussions`, `discussion_readers` (guests), and whose group it is.
Routes: none yet. Facts: `store.load_facts`, by id; a policy over them.
"""
