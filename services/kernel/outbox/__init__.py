# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Redis is told: only if the transaction held, and then at least once.

    publish(session, channel, document)   a row in the caller's transaction: rolled back, nothing is told   (rows)
    Publisher.run                         tells rows in their order, then deletes them                       (publisher)

The row's deletion commits after Redis took the message, so a crash between the two tells it again. Receivers must bear
that: Loomio's client does (it imports by id), and Sidekiq jobs carry the id they are known by. Redis being away leaves
rows where they are; they are told when it is back.

Of all publishers one tells at a time, or a later row could overtake an earlier one. Every process that may write has
one, and whoever commits a row wakes it; rows of processes that died are found within seconds.
"""

from __future__ import annotations

from services.kernel.outbox.publisher import Publisher, redis_at
from services.kernel.outbox.rows import publish, push_to_sidekiq

__all__ = ["Publisher", "publish", "push_to_sidekiq", "redis_at"]
