# SPDX-License-Identifier: AGPL-3.0-or-later
"""How reactions are told."""

from __future__ import annotations

from services.kernel.sideload import Edge, Shape, fields

REACTION = Shape(
    root="reactions",
    fields=fields("id", "reaction", "reactable_id", "reactable_type", "user_id"),
    edges=(Edge("user_id", "author", unless=("user",)),),
)
