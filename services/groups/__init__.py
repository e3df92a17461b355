# SPDX-License-Identifier: AGPL-3.0-or-later
"""Groups: finding them, and who may see one.

Tables: `groups`, `memberships`; read only. Routes: `groups#count_explore_results`, `groups#suggest_handle`.
Facts: `store.find`, for whoever needs to know whether somebody may see a group.

Invariants
    * A membership counts as long as it is not revoked, accepted or not.
    * An archived group is seen by nobody.
"""
