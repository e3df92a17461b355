# SPDX-License-Identifier: AGPL-3.0-or-later
"""The hot path: two protocols that call each other, and nothing per request that the loop would have to schedule.

    client    ── request head ─→  scan ─→ edge.decide ─→ exchange ─→ pool.acquire
    upstream  ── answer head  ─→  scan ─→ client.answer ─→ edge.account
    bodies    ── pieces       ─→  framing (where does it end?) ─→ the other transport

Invariants:
- An exchange is accounted for exactly once, however it ends, and keeps the generation it began with.
- An answer that broke off is never ended cleanly: its connection is aborted.
- A request is repeated only if it is safe, has no body, and no byte of an answer came.
- A connection goes back to its pool only after a complete, well-framed answer to a completely sent request.
- Memory per connection is bounded: a side that does not read stops the other from being read.
- Every wait has a deadline, kept by one wheel per worker.
"""
