# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rails' session of one request, and the cookies of its answer.

What is read here is what Rails wrote; what is changed is written back whole, keys that nobody here knows
included. A session that was not changed is not sent again: a late answer must not undo what another request
changed in the meantime.

Attributes are those Rails gives: `_loomio` has a path and is hidden from scripts; `csrftoken` lives a day and
is not hidden, since the client sends it back as a header; `signed_in` says no more than its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from railscompat import csrf
from railscompat import session as sessions
from railscompat.cookies import NONCE_BYTES, EncryptedCookies, SignedCookies
from railscompat.devise import REMEMBER_FOR
from railscompat.errors import CookieError
from railscompat.marshal import AsciiString, Value
from services.kernel.tokens import Randomness

CSRF_COOKIE = "csrftoken"
SIGNED_IN_COOKIE = "signed_in"
CSRF_LASTS = timedelta(days=1)
_CSRF_KEY = "_csrf_token"
_ID_KEY = "session_id"


class CookieKeys:
    """The keys of both kinds of cookies, derived once."""

    def __init__(self, secret_key_base: str) -> None:
        """`secret_key_base` is Rails' own."""
        self.encrypted = EncryptedCookies(secret_key_base)
        self.signed = SignedCookies(secret_key_base)


class WebSession:
    """One request's session and the cookies that its answer sets."""

    def __init__(
        self,
        keys: CookieKeys,
        cookies: Mapping[str, str],
        now: datetime,
        *,
        random: Randomness,
        secure: bool = False,
    ) -> None:
        """`cookies` are the request's; one that can't be trusted is none. `secure` marks cookies for TLS alone."""
        self.cookies = cookies
        self.keys = keys
        self._now = now
        self._secure = secure
        self._random = random
        self._values = self._open()
        self._changed = False
        self._lines: dict[str, str] = {}

    def _open(self) -> dict[Value, Value]:
        if (cookie := self.cookies.get(sessions.SESSION_COOKIE)) is None:
            return {}
        try:
            value = self.keys.encrypted.decrypt(sessions.SESSION_COOKIE, cookie, now=self._now)
        except CookieError:
            return {}
        return dict(value) if isinstance(value, dict) else {}

    @property
    def values(self) -> Mapping[Value, Value]:
        """What it holds, to be read."""
        return self._values

    def text(self, name: str) -> str | None:
        """A text that it holds; None where there is none."""
        value = self._values.get(name)
        return value if isinstance(value, str) else None

    def put(self, name: str, value: Value) -> None:
        """Hold `value`."""
        self._values[name] = value
        self._changed = True

    def drop(self, *names: str) -> None:
        """Hold these no longer."""
        for name in names:
            if name in self._values:
                del self._values[name]
                self._changed = True

    def sign_in(self, user_id: int, password_salt: str) -> None:
        """Belong to somebody, under a new id and with a new real token, as Warden and Devise renew it."""
        self.drop(_CSRF_KEY)
        self.put(_ID_KEY, self._new_id())
        self.put(sessions.USER_KEY, [[user_id], password_salt])
        self.mark_signed_in()

    def sign_out(self) -> None:
        """Belong to nobody any more; what else it holds stays, as with Warden."""
        self.drop(sessions.USER_KEY)
        self.delete_cookie(SIGNED_IN_COOKIE)
        if sessions.REMEMBER_COOKIE in self.cookies:
            self.delete_cookie(sessions.REMEMBER_COOKIE)

    def remember(self, user_id: int, token: str, now: datetime) -> None:
        """Set the cookie that signs somebody in again, for two weeks.

        `now` must be later than the account's `remember_created_at`, or the cookie is one of before.
        """
        moment = f"{now.timestamp():.7f}".rstrip("0")
        until = now + REMEMBER_FOR
        value = self.keys.signed.sign(
            sessions.REMEMBER_COOKIE, [[user_id], token, AsciiString(moment)], expires_at=until
        )
        self.set_cookie(sessions.REMEMBER_COOKIE, value, until=until, http_only=True)

    def mark_signed_in(self) -> None:
        """Tell scripts, and no more, that somebody is signed in."""
        self.set_cookie(SIGNED_IN_COOKIE, "1", bare=True)

    def flash(self, kind: str, text: str) -> None:
        """Have a message shown at the next start of the client."""
        self.put("flash", sessions.flash_value({kind: text}))

    def take_flashes(self) -> dict[str, Value]:
        """The messages that wait; they are shown once."""
        flashes = sessions.flashes_of(self._values)
        self.drop("flash")
        return flashes

    def give_token(self) -> None:
        """Send a token for the requests to come, made from the session's real one."""
        real = csrf.real_token(self.text(_CSRF_KEY) or "")
        if real is None:
            real = self._random(csrf.TOKEN_BYTES)
            self.put(_CSRF_KEY, csrf.session_token(real))
            if _ID_KEY not in self._values:
                self.put(_ID_KEY, self._new_id())
        masked = csrf.mask(csrf.global_token(real), self._random(csrf.TOKEN_BYTES))
        self.set_cookie(CSRF_COOKIE, masked, until=self._now + CSRF_LASTS)

    def is_verified(self, header: str | None, parameter: str | None, *, path: str, method: str) -> bool:
        """Whether a changing request comes from a page of ours.

        It does with a token of this session, or when its `csrftoken` cookie is its header (Loomio's own rule).
        With neither cookie nor header Loomio finds them equal as well; that is refused here to whoever's
        cookies would be taken for somebody's.
        """
        cookie = self.cookies.get(CSRF_COOKIE)
        if cookie is not None or header is not None:
            if cookie == header:
                return True
        elif sessions.user_of(dict(self._values)) is None and sessions.REMEMBER_COOKIE not in self.cookies:
            return True
        real = csrf.real_token(self.text(_CSRF_KEY) or "")
        sent = [token for token in (header, parameter) if token]
        return real is not None and any(csrf.verify(real, one, path=path, method=method) for one in sent)

    def set_cookie(
        self,
        name: str,
        value: str,
        *,
        until: datetime | None = None,
        http_only: bool = False,
        bare: bool = False,
    ) -> None:
        """Set a cookie; `bare` leaves it unmarked for TLS, as Rails does with what it did not make itself."""
        line = f"{name}={value}; path=/"
        if until is not None:
            line += f"; expires={format_datetime(until.astimezone(UTC), usegmt=True)}"
        if self._secure and not bare:
            line += "; secure"
        self._lines[name] = f"{line}; httponly" if http_only else line

    def delete_cookie(self, name: str) -> None:
        """Have the browser forget a cookie."""
        self._lines[name] = f"{name}=; path=/; max-age=0; expires=Thu, 01 Jan 1970 00:00:00 GMT"

    def set_cookie_lines(self) -> list[str]:
        """The `Set-Cookie` headers of the answer. Raises `CookieError` where the session grew too large."""
        lines = dict(self._lines)
        if self._changed:
            sealed = self.keys.encrypted.encrypt(
                sessions.SESSION_COOKIE, dict(self._values), nonce=self._random(NONCE_BYTES)
            )
            secure = "; secure" if self._secure else ""
            lines[sessions.SESSION_COOKIE] = f"{sessions.SESSION_COOKIE}={sealed}; path=/{secure}; httponly"
        return list(lines.values())

    def _new_id(self) -> str:
        return self._random(16).hex()
