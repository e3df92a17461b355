# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is known of a document."""

from __future__ import annotations

import msgspec


class DocumentFacts(msgspec.Struct, frozen=True):
    """What decides what one actor may do with one document."""

    has_record: bool
    may_update_record: bool
    """What the ability to update the record says that it belongs to."""
    am_group_admin: bool
    """Of the record's group."""
    am_verified: bool
