# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is known of a task."""

from __future__ import annotations

import msgspec


class TaskFacts(msgspec.Struct, frozen=True):
    """What decides what one actor may do with one task."""

    am_author: bool
    am_assignee: bool
    may_update_record: bool
    """What the ability to update the record says whose text the task stands in; no where the record is gone."""
