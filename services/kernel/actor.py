# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who asks.

Signed in is whoever Rails' session cookie names, as long as the password has not changed since; without a
session, whoever a valid remember-me cookie speaks for. Everybody else is signed out, and may hold tokens
that open single records. A cookie that can't be trusted is no cookie; its `Code` is counted, never an
error.

Where the operator wants it, a bearer token (`bearer`) speaks for somebody instead of cookies. One that is not
right, or whose account may not sign in, is refused, whatever the reason.

Routes for programs take keys instead (`Credential`; Loomio's controllers/api/b2 and b3). A key that is
missing or wrong is refused. The key of an account counts for as long as the account is not deactivated;
locks are about passwords and do not matter to it. The installation's key is compared in constant time, and
there is none unless it is long enough (`Settings.b3_api_key`).

HTTP Basic credentials stay with the legacy, by the edge's guards (`keep_on_legacy`). Inactive accounts get their
401 here, and Rails forgets the session at the next request it gets.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from railscompat import devise
from railscompat import session as sessions
from railscompat.errors import CookieError
from services.kernel import sql
from services.kernel.bearer import BearerTokens, InvalidTokenError
from services.kernel.clock import Clock
from services.kernel.credential import INSTALLATION_KEY, USER_KEY, Credential
from services.kernel.errors import AccessDeniedError, InactiveAccountError, InvalidBearerError
from services.kernel.locales import DEFAULT
from services.kernel.params import Params
from services.kernel.texts import Texts
from services.kernel.websession import WebSession

LOCK_LASTS = timedelta(hours=6)


class Account(msgspec.Struct, frozen=True):
    """The columns of `users` that signing in depends on."""

    id: int
    email: str | None
    encrypted_password: str | None
    deactivated_at: datetime | None
    locked_at: datetime | None
    remember_token: str | None
    remember_created_at: datetime | None
    selected_locale: str | None
    detected_locale: str | None
    secret_token: str

    @property
    def password_salt(self) -> str:
        """What sessions remember of the password."""
        return devise.authenticatable_salt(self.encrypted_password)


queries = sql.load(__file__)
_account = queries.one("account", Account)
_account_of_key = queries.one("account_of_key", Account)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a signed-out person may show instead of a name."""

    discussion_reader: str | None = None
    stance: str | None = None
    group: str | None = None
    membership: str | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks; `account` is None for the signed-out."""

    account: Account | None = None
    tokens: Tokens = Tokens()
    is_remembered: bool = False
    """Whether it is a remember-me cookie that speaks for them, and no session yet."""

    @property
    def id(self) -> int | None:
        """The person's id; None for the signed-out."""
        return self.account.id if self.account else None


def refusal(account: Account, now: datetime) -> str | None:
    """The name of the text that tells why Devise does not let this account in: locked within the last six hours,
    or closed. None where it does.
    """
    if account.locked_at is not None and account.locked_at.replace(tzinfo=UTC) >= now - LOCK_LASTS:
        return "devise.failure.locked"
    return "devise.failure.inactive" if account.deactivated_at is not None else None


def tokens_of(params: Params, session: WebSession) -> Tokens:
    """The tokens of a request. Those of groups and memberships may wait in the session."""

    def pending(name: str) -> str | None:
        return params.text(name) or session.text(f"pending_{name}")

    return Tokens(
        discussion_reader=params.text("discussion_reader_token"),
        stance=params.text("stance_token"),
        group=pending("group_token"),
        membership=pending("membership_token"),
    )


class Actors:
    """Finds the actor of a request."""

    def __init__(
        self, clock: Clock, texts: Texts, installation_key: str | None, bearers: BearerTokens | None
    ) -> None:
        """Sessions hold for as long as the clock says. Without an `installation_key` none is right."""
        self._clock = clock
        self._texts = texts
        self._installation_key = installation_key
        self._bearers = bearers

    async def find(self, takes: Credential, db: sql.Executor, session: WebSession, params: Params) -> Actor:
        """Who asks, by what the route takes, without a bearer token.

        Raises `InactiveAccountError` for somebody who is signed in and may not be, `AccessDeniedError` without
        the key that is needed.
        """
        match takes:
            case Credential.SESSION | Credential.BROWSER:
                return await self._of_session(db, session, params)
            case Credential.B2:
                return await self._of_user_key(db, params)
            case Credential.B3:
                self._check_installation_key(params)
                return Actor()

    async def of_bearer(self, db: sql.Executor, token: str) -> Actor:
        """Whom a bearer token stands for. Raises `InvalidBearerError`."""
        if self._bearers is None:
            raise InvalidBearerError
        now = self._clock()
        try:
            user_id, fingerprint = self._bearers.read(token, now)
        except InvalidTokenError:
            raise InvalidBearerError from None
        account = await _account(db, id=user_id)
        if account is None or refusal(account, now) or not self._bearers.fits(fingerprint, account):
            raise InvalidBearerError
        return Actor(account)

    async def _of_user_key(self, db: sql.Executor, params: Params) -> Actor:
        # Accounts without a key must not be found by a request without one, as they are in Loomio.
        key = params.text(USER_KEY)
        account = await _account_of_key(db, key=key) if key else None
        if account is None:
            raise AccessDeniedError("use this without the key of an account")
        return Actor(account)

    def _check_installation_key(self, params: Params) -> None:
        given, right = params.text(INSTALLATION_KEY) or "", self._installation_key
        if right is None or not hmac.compare_digest(given.encode(), right.encode()):
            raise AccessDeniedError("use this without the key of this installation")

    async def _of_session(self, db: sql.Executor, session: WebSession, params: Params) -> Actor:
        account = await self._signed_in(db, session)
        is_remembered = account is None
        account = account or await self._remembered(db, session)
        if account is None:
            return Actor(None, tokens_of(params, session))
        if (reason := refusal(account, self._clock())) is not None:
            raise InactiveAccountError(self._texts.say(reason, DEFAULT))
        return Actor(account, is_remembered=is_remembered)

    async def _signed_in(self, db: sql.Executor, session: WebSession) -> Account | None:
        if (key := sessions.user_of(dict(session.values))) is None:
            return None
        account = await _account(db, id=key.id)
        if account is None or account.password_salt != key.password_salt:
            return None
        return account

    async def _remembered(self, db: sql.Executor, session: WebSession) -> Account | None:
        if (cookie := session.cookies.get(sessions.REMEMBER_COOKIE)) is None:
            return None
        now = self._clock()
        try:
            remembered = sessions.remembered(
                session.keys.signed.verify(sessions.REMEMBER_COOKIE, cookie, now=now)
            )
        except CookieError:
            return None
        if remembered is None or (account := await _account(db, id=remembered.id)) is None:
            return None
        created = account.remember_created_at
        good = devise.is_remembered(
            remembered,
            remember_token=account.remember_token,
            remember_created_at=created and created.replace(tzinfo=UTC),
            now=now,
        )
        return account if good else None
