# SPDX-License-Identifier: AGPL-3.0-or-later
"""The services: Loomio's endpoints, answered from Loomio's own database.

Flow of a request
    1. `kernel.http` takes it, keeps its id, finds its route as Rails would, reads its parameters as Rails
       does.
    2. `kernel.actor` finds out who asks: Rails' session cookie, remember-me, or nobody.
    3. The handler of a **vertical** (a package per domain) loads facts (`store`, SQL in `queries.sql`),
       asks a pure `policy`, and answers rows in a declared `serializer` shape.
    4. `kernel.sideload` gathers what those rows point to, a query per kind of record, never one per row.
    5. `kernel.http` writes the answer with the headers, tags and error bodies that Rails gives.

Invariants
    * The schema is Rails' and is only ever changed by Rails.
    * A vertical imports only verticals below it (import-linter knows the order); what points upward travels
      as a named edge that the composition root (`app`) resolves.
    * No cookie is set unless its value was changed here; the session stays Rails'.
    * Settings are environment variables with Rails' own names; time comes in through a clock.

Vocabulary: **actor**, who asks, signed in or not; **facts**, what a policy needs to know of a record and an
actor; **shape**, what a serializer declares; **edge**, a shape's pointer to records of another shape.
"""
