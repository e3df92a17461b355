# SPDX-License-Identifier: AGPL-3.0-or-later
"""Groups and their memberships: finding them, and who may do what with them.

Tables: `groups`, `memberships`, `subscriptions`, `tags`; invitations (`redeem`) write memberships with their history,
counters, events, and what guests were in threads and polls. Routes: `groups#count_explore_results`,
`groups#index`, `groups#subgroups`, `groups#suggest_handle`, `profile#groups`; by key
`b2/memberships#index` (`memberships`).
Facts: `store.find`, `store.load_facts`, for whoever needs to know what somebody may do with a group.
Policies also for what has only its group to go by: chatbots, mails that came in, requests to join, tags.

Invariants
    * A membership counts as long as it is not revoked, accepted or not.
    * An archived group is seen by nobody; its admins stay its admins.
    * The signed-out are nobody: a membership that nobody invited to is not theirs to see. (The ability of
      Loomio 3.0.17 takes "no inviter" and "nobody signed in" for the same person.)
    * Memberships of the viewer are told with groups only where groups are what was asked for: Loomio has
      them from the cache of such answers. Tags are told of open groups, and with a membership.
    * Where rows have no order in Loomio, theirs is that of their ids here.
"""
