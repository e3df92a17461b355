# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who a request comes from, as far as a bucket needs to know.

A subject is a short byte string that stays the same as long as the visitor does:

    user:42            the Rails session's user; where it has none, the user of a valid remember-me cookie
    key:<hash>         the API key (hashed, so that it appears in no log)
    cookie:<value>     the edge's own cookie

A session's raw cookie identifies nobody (Rails encrypts it anew on nearly every answer), so it is decrypted. What
came out is remembered by the cookie's value, within bounds. A cookie that cannot be decrypted is counted and means
"no user".
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from fnmatch import fnmatchcase
from hashlib import blake2b
from secrets import token_bytes

from proxy.routing.native import glance, unseal, value_in
from railscompat import marshal
from railscompat.cookies import EncryptedCookies, SignedCookies
from railscompat.errors import CookieError, MarshalError
from railscompat.session import REMEMBER_COOKIE, SESSION_COOKIE, keys_of, remembered, user_of

BUCKET_COOKIE = b"banyan_bucket"
"""The edge's own cookie: 32 hexadecimal digits."""

_REMEMBER_WANTED = REMEMBER_COOKIE.encode() + b"="
_OWN_WANTED = BUCKET_COOKIE + b"="
_KEY_SETS_KEPT = 1000
_SEAL_BYTES = 64  # at the end of an encrypted cookie; nonce and tag take 44 unescaped
_HEX = b"0123456789abcdef"


def key_subject(api_key: str) -> bytes:
    """The subject of an API key (latin-1 text)."""
    return b"key:" + blake2b(api_key.encode("latin-1", "replace"), digest_size=16).hexdigest().encode()


class SessionKeys:
    """The names of what a session holds. There are few sets of them, so a worker makes each once."""

    __slots__ = ("_verdicts", "names")

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names
        self._verdicts: dict[tuple[str, ...], bool] = {}

    def fit(self, globs: tuple[str, ...]) -> bool:
        """Whether a name fits one of `globs`; remembered."""
        verdict = self._verdicts.get(globs)
        if verdict is None:
            verdict = self._verdicts[globs] = _fit(self.names, globs)
        return verdict


def _fit(names: frozenset[str], globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, glob) for name in names for glob in globs)


class Session:
    """What the edge wants of a Rails session: its user (as subject, None for nobody) and the names of its keys."""

    __slots__ = ("keys", "user")

    def __init__(self, user: bytes | None, keys: SessionKeys) -> None:
        self.user = user
        self.keys = keys


NO_SESSION = Session(None, SessionKeys(frozenset()))


class SubjectReader:
    """Reads subjects from requests; one per worker, outliving the tables.

    `secret_key_base`: Rails' secret, None where the edge does not have it (then nobody is a user). `now` judges the
    expiry of remember-me cookies. `randomness(n)` gives n random bytes. `undecryptable` counts session and remember-me
    cookies that were no use; `minted` counts own cookies handed out.
    """

    def __init__(
        self,
        secret_key_base: str | None,
        now: Callable[[], datetime],
        *,
        session_cookie: str = SESSION_COOKIE,
        randomness: Callable[[int], bytes] = token_bytes,
        remembered_sessions: int = 10_000,
    ) -> None:
        self.undecryptable = 0
        self.minted = 0
        self._now = now
        self._randomness = randomness
        self._session_name = session_cookie
        self._session_wanted = session_cookie.encode() + b"="
        self._encrypted = None if secret_key_base is None else EncryptedCookies(secret_key_base, unseal)
        self._signed = None if secret_key_base is None else SignedCookies(secret_key_base)
        self._sessions: dict[bytes, Session] = {}
        self._older: dict[bytes, Session] = {}
        self._key_sets: dict[tuple[bytes, ...], SessionKeys] = {}
        self._most = remembered_sessions

    def has_session(self, cookies: bytes) -> bool:
        """Whether a raw Cookie header seems to hold a session that could be read."""
        return self._encrypted is not None and self._session_wanted in cookies

    def session(self, cookies: bytes) -> Session:
        """The Rails session in a raw Cookie header; an empty one where there is none that can be read."""
        if self._encrypted is None:
            return NO_SESSION
        value = value_in(cookies, self._session_wanted)
        if not value:
            return NO_SESSION
        # Its nonce and tag tell a cookie from all others, and are a tenth of it to keep and to compare.
        key = value[-_SEAL_BYTES:]
        session = self._sessions.get(key)
        if session is None:
            session = self._older.get(key)
        if session is None:
            session = self._decrypt(self._encrypted, value)
            if len(self._sessions) >= self._most // 2:
                # Two halves, the older dropped at once: taking the oldest out of a dictionary one by one gets slow.
                self._older, self._sessions = self._sessions, {}
            self._sessions[key] = session
        return session

    def _decrypt(self, jar: EncryptedCookies, value: bytes) -> Session:
        try:
            payload = jar.decrypt_payload(self._session_name, value)
            seen = glance(payload)
            if seen is not None:
                user, keys = seen
                return Session(None if user is None else b"user:%d" % user, self._keys(keys))
            session = marshal.load(payload)
        except (CookieError, MarshalError):
            self.undecryptable += 1
            return NO_SESSION
        known = user_of(session)
        return Session(None if known is None else b"user:%d" % known.id, SessionKeys(keys_of(session)))

    def _keys(self, raw: tuple[bytes, ...]) -> SessionKeys:
        keys = self._key_sets.get(raw)
        if keys is None:
            if len(self._key_sets) >= _KEY_SETS_KEPT:
                self._key_sets.clear()
            keys = SessionKeys(frozenset(name.decode("utf-8", "replace") for name in raw))
            self._key_sets[raw] = keys
        return keys

    def remembered(self, cookies: bytes) -> bytes | None:
        """The subject of the user whom a valid remember-me cookie names."""
        value = None if self._signed is None else value_in(cookies, _REMEMBER_WANTED)
        if not value or self._signed is None:
            return None
        try:
            found = remembered(self._signed.verify(REMEMBER_COOKIE, value, now=self._now()))
        except CookieError:
            self.undecryptable += 1
            return None
        return None if found is None else b"user:%d" % found.id

    def own(self, cookies: bytes) -> bytes | None:
        """The value of the edge's own cookie, if it has the form of one."""
        value = value_in(cookies, _OWN_WANTED)
        return value if value is not None and len(value) == 32 and not value.strip(_HEX) else None

    def mint(self) -> bytes:
        """A new value for the edge's own cookie."""
        self.minted += 1
        return self._randomness(16).hex().encode()

    def draw(self) -> bytes:
        """A subject for one request only."""
        return self._randomness(8)
