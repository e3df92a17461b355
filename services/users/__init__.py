# SPDX-License-Identifier: AGPL-3.0-or-later
"""People, as other records show them.

Tables: `users`, read only; the picture is an attachment `uploaded_avatar`.
Routes: none yet. Shapes: `AUTHOR` (root `users`), reached by the edge `author`.

Invariants
    * An address is told to its owner only.
    * A picture that is recorded but not there is told as none; Rails repairs such rows as it meets them,
      reads here change nothing.
"""
