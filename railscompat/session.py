# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a decrypted session says: who is signed in, which keys it holds, which messages wait to be shown.

    "session_id"                text
    "_csrf_token"               text; see `csrf`
    "warden.user.user.key"      [[user id], first 29 letters of the encrypted password]; only when signed in
    "flash"                     {"discard": [], "flashes": {kind: text}}

The remember-me cookie holds [[user id], token, moment it was made]. Everything here takes whatever a cookie
held and answers None or nothing where the shape is another: a session of unknown shape is a session of
nobody.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from railscompat.marshal import Value

SESSION_COOKIE: Final = "_loomio"
REMEMBER_COOKIE: Final = "remember_user_token"
USER_KEY: Final = "warden.user.user.key"

_SECONDS = re.compile(r"[0-9]{1,11}\.[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class UserKey:
    """Who a session belongs to.

    It holds as long as `password_salt` equals the user's (`devise.authenticatable_salt`): a changed password
    signs out everywhere. Whoever only tells people apart need not look.
    """

    id: int
    password_salt: str


@dataclass(frozen=True, slots=True)
class RememberedUser:
    """Who a remember-me cookie speaks for; `devise.is_remembered` says whether it still may."""

    id: int
    token: str
    generated_at: datetime


def user_of(session: Value) -> UserKey | None:
    """Who is signed in, by the session alone."""
    if not isinstance(session, dict):
        return None
    match session.get(USER_KEY):
        case [[int(id)], str(salt)] if not isinstance(id, bool):
            return UserKey(id, salt)
    return None


def remembered(value: Value) -> RememberedUser | None:
    """Who the payload of a `remember_user_token` cookie, once verified, speaks for."""
    match value:
        case [[int(id)], str(token), str(moment)] if not isinstance(id, bool) and _SECONDS.fullmatch(moment):
            return RememberedUser(id, token, datetime.fromtimestamp(float(moment), UTC))
    return None


def keys_of(session: Value) -> frozenset[str]:
    """The names of what the session holds."""
    if not isinstance(session, dict):
        return frozenset()
    return frozenset(key for key in session if isinstance(key, str))


def flashes_of(session: Value) -> dict[str, Value]:
    """The messages that wait to be shown, by kind (`notice`, `error`, …), without those marked as seen."""
    match session:
        case {"flash": {"flashes": dict(flashes), "discard": list(seen)}}:
            return {
                kind: text for kind, text in flashes.items() if isinstance(kind, str) and kind not in seen
            }
    return {}


def flash_value(flashes: dict[str, Value]) -> dict[str, Value]:
    """The value of a session's `flash` that has these messages shown next."""
    return {"discard": [], "flashes": flashes}
