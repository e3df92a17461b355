# SPDX-License-Identifier: AGPL-3.0-or-later
"""By what a route knows who asks.

    Route("GET", "/api/b2/memberships", "b2/memberships#index", index, takes=Credential.B2)

A route takes one kind and looks at no other: a browser's cookies mean nothing to `/api/b2`, and a key means
nothing to `/api/v1`. No other site can have a browser send a key or a token along: only what comes by
cookies is guarded against forged requests.
"""

from __future__ import annotations

from enum import StrEnum


class Credential(StrEnum):
    """A kind of credential."""

    SESSION = "session"
    """Rails' session cookie, its remember-me cookie, or a bearer token where the operator switched these on.
    None is fine: the actor is signed out then."""
    BROWSER = "browser"
    """As `SESSION`, but by cookies alone: what signs in and out, and what gives tokens, so that a token gets nobody
    another one."""
    B2 = "b2"
    """The parameter `api_key`: that of an active account (`users.api_key`), which is the actor. Else 403."""
    B3 = "b3"
    """The parameter `b3_api_key`: the installation's own (`B3_API_KEY`). The actor is nobody. Else 403."""

    @property
    def is_persons(self) -> bool:
        """Whether people come in by it, whom their language and what waits for them concern."""
        return self in (Credential.SESSION, Credential.BROWSER)


USER_KEY = "api_key"
INSTALLATION_KEY = "b3_api_key"
"""The parameters that bring keys."""
