# SPDX-License-Identifier: AGPL-3.0-or-later
"""How versions are told."""

from __future__ import annotations

from services.kernel.sideload import Field, Shape, fields

VERSION = Shape(
    root="versions",
    fields=(
        *fields("id"),
        Field("whodunnit", lambda version, _scope: version.whodunnit or 0),
        *fields("previous_id", "created_at", "item_id", "item_type", "object_changes"),
    ),
)
