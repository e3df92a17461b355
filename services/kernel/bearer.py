# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tokens for API clients that cannot keep cookies: signed, for one audience, and soon over (decision 0019).

    POST /api/banyan/tokens           with a session          → {"access_token": …, "expires_in": 900}
    Authorization: Bearer TOKEN       where sessions count    → that person, without any cookie

Off unless the operator sets a secret. A token is a JWT with these claims, all of which must be there:

    iss  this site's address          sub  the person's id
    aud  the configured audience      iat, exp  when it was given, when it is over (Unix seconds)
    acc  a fingerprint of what an account's sessions hang on

Invariants
    * HS256, and nothing that a token says about its own algorithm or keys changes that.
    * `acc` is keyed: it tells the client nothing. A new password ends tokens as it ends sessions, and signing
      out anywhere ends them as it ends sockets.
    * A token that is not right is refused; it never makes somebody signed out instead.
    * The time is the caller's.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Protocol

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from services.kernel.settings import BearerSettings

ALGORITHM = "HS256"
LONGEST = 2048
"""Letters of a token; ours have about 300."""

LEEWAY = 5
"""Seconds by which the clocks of two machines may differ."""

_SCHEME = "bearer"
_MOST_DIGITS = 18


class InvalidTokenError(ValueError):
    """Not a token of ours, or not any more."""


class Bound(Protocol):
    """What a token hangs on."""

    @property
    def id(self) -> int:
        """The person."""

    @property
    def password_salt(self) -> str:
        """What changes with the password."""

    @property
    def secret_token(self) -> str:
        """What changes when the person signs out."""


def token_in(header: str | None) -> str | None:
    """The token of an `Authorization` header; None for other schemes."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() == _SCHEME else None


class BearerTokens:
    """Gives tokens, and reads them."""

    def __init__(self, settings: BearerSettings, issuer: str) -> None:
        """`issuer` is the site's address."""
        self._secret = settings.secret.encode()
        self._key = OctKey.import_key(self._secret)
        self._registry = jws.JWSRegistry(algorithms=[ALGORITHM])
        self._issuer = issuer
        self._audience = settings.audience
        self.lifetime = settings.lifetime
        """Seconds."""

    def give(self, account: Bound, now: datetime) -> str:
        """A token for this person."""
        second = int(now.timestamp())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(account.id),
            "iat": second,
            "exp": second + self.lifetime,
            "acc": self._fingerprint(account),
        }
        return jwt.encode({"alg": ALGORITHM}, claims, self._key, registry=self._registry)

    def read(self, token: str, now: datetime) -> tuple[int, str]:
        """Whose it is, and the fingerprint to be compared (`fits`). Raises `InvalidTokenError`."""
        if len(token) > LONGEST:
            raise InvalidTokenError
        try:
            claims = jwt.decode(token, self._key, registry=self._registry).claims
            self._demanded(int(now.timestamp())).validate(claims)
        except (JoseError, ValueError, TypeError) as error:  # the library trips over some odd headers
            raise InvalidTokenError from error
        subject, fingerprint = claims["sub"], claims["acc"]
        is_id = subject.isascii() and subject.isdigit() and len(subject) <= _MOST_DIGITS
        if not is_id or not isinstance(fingerprint, str):
            raise InvalidTokenError
        return int(subject), fingerprint

    def _demanded(self, second: int) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=second,
            leeway=LEEWAY,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            sub={"essential": True},
            iat={"essential": True},
            exp={"essential": True},
            acc={"essential": True},
        )

    def fits(self, fingerprint: str, account: Bound) -> bool:
        """Whether nothing that a token hangs on has changed since it was given."""
        return hmac.compare_digest(fingerprint.encode(), self._fingerprint(account).encode())

    def _fingerprint(self, account: Bound) -> str:
        # No token's text begins like this: what is signed here is never a token, nor the other way round.
        said = f"account:{account.id}:{account.password_salt}:{account.secret_token}"
        return hmac.digest(self._secret, said.encode(), "sha256").hex()
