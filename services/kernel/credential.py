# SPDX-License-Identifier: AGPL-3.0-or-later
"""By what a route knows who asks.

    Route("GET", "/api/b2/memberships", "b2/memberships#index", index, takes=Credential.B2)

A route takes one kind and looks at no other: a browser's cookies mean nothing to `/api/b2`, and a key means
nothing to `/api/v1`. Keys are no browser's, so no other site can have one sent along: only sessions are
guarded against forged requests.
"""

from __future__ import annotations

from enum import StrEnum


class Credential(StrEnum):
    """A kind of credential."""

    SESSION = "session"
    """Rails' session cookie, or its remember-me cookie. Nobody's is fine: the actor is signed out then."""
    B2 = "b2"
    """The parameter `api_key`: that of an active account (`users.api_key`), which is the actor. Else 403."""
    B3 = "b3"
    """The parameter `b3_api_key`: the installation's own (`B3_API_KEY`). The actor is nobody. Else 403."""


USER_KEY = "api_key"
INSTALLATION_KEY = "b3_api_key"
"""The parameters that bring keys."""
