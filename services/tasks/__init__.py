# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tasks: lines of a text that somebody is asked to do.

Tables: none yet. Routes: none yet; the policy is there for whoever brings them.

Invariants
    * A task is done, and done no more, by whoever wrote it, by those it is for, and by whoever may change the text.
"""
