# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every vertical stands on, and nothing of any domain.

settings   environment → typed settings, every error at once
clock      the time, which a replay of recordings may start elsewhere
db, sql    connections to Rails' database; named, typed statements from `queries.sql`
readiness  whether PostgreSQL has what is needed, schema `banyan` too
params     query strings as Rails reads them, strict where Rails would fall over
parameters what routes declare that they read of these, for `openapi`
routes     Rails' path notation → the first route that matches
credential by what a route knows who asks: session, b2, b3
bearer     tokens for API clients, signed and read
actor      cookies, a token or a key → who asks
texts      what people read: the operator's words, else ours
errors     what can go wrong, as Rails tells it
sideload   rows in declared shapes → the response with its side-loaded roots
http       the stack around every handler; answers as Rails writes them
metrics    counters and histograms of one process
log        structured lines, without personal data
"""
