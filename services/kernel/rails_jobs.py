# SPDX-License-Identifier: AGPL-3.0-or-later
"""Work that stays Rails': handed to its Sidekiq by class and arguments, as Rails itself does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from railscompat import sidekiq
from services.kernel.outbox import push_to_sidekiq

if TYPE_CHECKING:
    from services.kernel.http import Context


async def hand_over(context: Context, job_class: str, *args: sidekiq.Json) -> None:
    """Have Sidekiq run this once the transaction under way holds. Raises `UnavailableError`."""
    now = context.clock()
    jid = sidekiq.new_jid(context.random(sidekiq.JID_BYTES))
    await push_to_sidekiq(context.db, sidekiq.new_job(job_class, list(args), jid=jid, now=now), now=now)
