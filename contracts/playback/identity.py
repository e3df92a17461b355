# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who asks: the user of the session cookie, else of the remember-me cookie, else nobody.

Rails encrypts a session anew with nearly every answer, so one user comes with many values: they are told
apart by what is inside. Values of `sessions.json` are known even where the corpus tells no secret.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from contracts.corpus import Corpus
from railscompat.cookies import EncryptedCookies, SignedCookies
from railscompat.errors import CookieError
from railscompat.session import REMEMBER_COOKIE, SESSION_COOKIE, remembered, user_of

User = int | str | None
"""A user's id; the actor's name where the corpus tells no id; None for anonymous."""

_MEMORY = 10_000
"""How many session values are remembered before all are forgotten."""


class Identifier:
    """Tells users by their cookies, at the time that `clock` shows (remember-me cookies expire)."""

    def __init__(self, corpus: Corpus, clock: Callable[[], datetime]) -> None:
        secret = corpus.env.get("SECRET_KEY_BASE") if corpus.has("env.json") else None
        self._sessions = EncryptedCookies(secret) if secret else None
        self._remembered = SignedCookies(secret) if secret else None
        self._clock = clock
        self._seen: dict[str, User] = {}
        actors = corpus.world.actors if corpus.has("world.json") else {}
        self._known: dict[str, User] = {
            cookies[SESSION_COOKIE]: actors[name].id if name in actors else name
            for name, cookies in corpus.sessions.items()
            if SESSION_COOKIE in cookies
        }

    def user(self, cookies: dict[str, str]) -> User:
        """Whose cookies these are. What cannot be read is nobody's."""
        session = cookies.get(SESSION_COOKIE)
        user = self._by_session(session) if session else None
        if user is None and REMEMBER_COOKIE in cookies:
            return self._by_remember(cookies[REMEMBER_COOKIE])
        return user

    def _by_session(self, value: str) -> User:
        if value in self._seen:
            return self._seen[value]
        user: User = self._known.get(value)
        if self._sessions is not None:
            try:
                key = user_of(self._sessions.decrypt(SESSION_COOKIE, value))
                user = key.id if key else None
            except CookieError:
                pass
        if len(self._seen) >= _MEMORY:
            self._seen.clear()
        self._seen[value] = user
        return user

    def _by_remember(self, value: str) -> User:
        if self._remembered is None:
            return None
        try:
            found = remembered(self._remembered.verify(REMEMBER_COOKIE, value, now=self._clock()))
        except CookieError:
            return None
        return found.id if found else None


def parse_cookies(header: str) -> dict[str, str]:
    """The cookies of a `Cookie` header; of two with one name the first counts, as in Rack."""
    cookies: dict[str, str] = {}
    for pair in header.split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals:
            cookies.setdefault(name, value)
    return cookies
