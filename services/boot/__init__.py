# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the client asks before and while it runs.

Tables: `memberships`, `groups` (for people who come by their mails' `unsubscribe_token`); all else is read by
`users`. Routes: `boot#site`, the client's settings, the tables its forms are made of and who is signed in;
`boot#version`, which clients poll to learn whether to load themselves anew.

`tables.json` holds what Loomio's client expects to be told of its own: kinds of polls, colours, the fields
it may send. `boot#site` writes the socket token to Redis (`/current_users/TOKEN`), shows waiting messages
once, and gives the token for the requests that change something.
"""
