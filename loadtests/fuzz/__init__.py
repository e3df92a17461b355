# SPDX-License-Identifier: AGPL-3.0-or-later
"""Broken requests and broken answers by the hundred thousand, against an edge that must keep its head.

    cases ──▶ client ══▶ edge ══▶ origin        client and origin are this process, the edge another one
      ▲          │                   │          (or this one, in tests)
      └── judge ◀┴───── journal ◀────┘

A *case* is what one connection sends: a pipeline of requests, each with a mark of its own in target and header. There
are three kinds:

- `valid`: nothing is broken. Every request is answered, in order, with its own mark.
- `asked`: the bytes of the pipeline are mutated. Whatever the edge makes of them, an answer's mark was sent on this
  very connection, behind the mark of the answer before; what the origin is sent is well-formed; the connection ends.
- `answered`: the origin's answers are mutated, and its connection ends behind them (on a backend of their own: what
  meets a connection that is being closed may rightly fail). The client gets what a careful
  reader of those very bytes reads, or an answer of the edge's own, or a connection that is cut off; never a part that
  looks like the whole, never another request's answer, and no write is sent twice.

After each round nothing may be left: no connection, tunnel, waiting request or file descriptor. A case that fails is
made as small as still fails and written to a file, to be run again with `--replay`. All chance comes from the seed.
"""
