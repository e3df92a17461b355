# SPDX-License-Identifier: AGPL-3.0-or-later
"""People, as other records show them, and as they see themselves.

Tables: `users` (the picture is an attachment `uploaded_avatar`); reopening an account writes `users`,
`memberships`, `versions` and a counter of `groups`.
Routes: `profile#me`, `profile#email_status`, `profile#email_exists`, and `b3/users#deactivate`,
`b3/users#reactivate` for whoever has the installation's key (`accounts`).
Shapes: `AUTHOR` (root `users`), reached by the edge `author`.

Invariants
    * An address is told to its owner only, and by their key to admins of a group that the person belongs to.
    * A picture that is recorded but not there is told as none; Rails repairs such rows as it meets them,
      reads here change nothing.
"""
