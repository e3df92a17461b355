# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is known of a poll and what belongs to it."""

from __future__ import annotations

import msgspec


class PollFacts(msgspec.Struct, frozen=True):
    """What decides whether one actor sees one poll."""

    id: int
    is_kept: bool
    am_author: bool
    is_public: bool
    am_member: bool
    am_guest_of_thread: bool
    am_guest: bool


class PollPart(msgspec.Struct, frozen=True):
    """A vote or an outcome, and the poll it belongs to."""

    id: int
    poll_id: int | None
