# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with a poll. Pure."""

from __future__ import annotations

from services.polls.model import PollFacts


def can_show(poll: PollFacts | None) -> bool:
    """Whether the actor sees the poll, its votes and its outcomes; nobody sees one that is not there."""
    return (
        poll is not None
        and poll.is_kept
        and (poll.am_author or poll.is_public or poll.am_member or poll.am_guest_of_thread or poll.am_guest)
    )
