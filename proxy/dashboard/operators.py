# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what: named tokens, and the cookie a browser gets for one.

A cookie says `name.until.signature`; its key is made of the tokens, so it outlives a restart and dies with its token.
A form carries a second signature, over the cookie: another site can make a browser send the cookie, but not read that.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Final

COOKIE: Final = "banyan_operator"
COOKIE_SECONDS: Final = 12 * 3600
LOCAL: Final = "local"
"""Who acts where no tokens are set: the admin port is on loopback then."""
SHARED: Final = "admin"
"""The name of `BANYAN_ADMIN_TOKEN`."""

_NAME: Final = re.compile(r"[A-Za-z0-9_@+-]{1,64}")


class OperatorsError(Exception):
    """`BANYAN_ADMIN_TOKENS` is malformed."""


class Operators:
    """Names by token. Without any, everybody who reaches the port is `LOCAL`."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        """`tokens`: name → token."""
        self._tokens = dict(tokens)
        material = "\n".join(f"{name}={token}" for name, token in sorted(tokens.items()))
        self._key = hashlib.sha256(material.encode()).digest() if tokens else secrets.token_bytes(32)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Operators:
        """`BANYAN_ADMIN_TOKENS` holds `name=token` pairs, parted by commas or white space; `BANYAN_ADMIN_TOKEN` is one
        token for all. Raises OperatorsError."""
        tokens: dict[str, str] = {}
        for pair in re.split(r"[,\s]+", environ.get("BANYAN_ADMIN_TOKENS", "").strip()):
            if not pair:
                continue
            name, _, token = pair.partition("=")
            if not _NAME.fullmatch(name) or len(token) < 8 or name in tokens:
                raise OperatorsError(
                    "BANYAN_ADMIN_TOKENS: write name=token pairs parted by commas, each name once, "
                    "each token of at least 8 characters"
                )
            tokens[name] = token
        shared = environ.get("BANYAN_ADMIN_TOKEN")
        if shared:
            tokens.setdefault(SHARED, shared)
        return cls(tokens)

    @property
    def are_known(self) -> bool:
        """Whether anybody has to say who they are."""
        return bool(self._tokens)

    def of_token(self, token: str) -> str | None:
        """Whose token this is. Takes as long for a wrong one."""
        found = None
        for name, known in self._tokens.items():
            if hmac.compare_digest(known.encode(), token.encode()):
                found = name
        return found

    def of_bearer(self, authorization: str) -> str | None:
        """Whom an `Authorization` header names."""
        scheme, _, token = authorization.partition(" ")
        return self.of_token(token) if scheme.lower() == "bearer" else None

    def cookie_for(self, name: str, now: float) -> str:
        """The cookie's value."""
        said = f"{name}.{int(now) + COOKIE_SECONDS}"
        return f"{said}.{self._sign('cookie', said)}"

    def of_cookie(self, value: str, now: float) -> str | None:
        """Whom a cookie names, if it is ours and holds."""
        said, _, signature = value.rpartition(".")
        name, _, until = said.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("cookie", said).encode()):
            return None
        return name if name in self._tokens and until.isdigit() and now < int(until) else None

    def form_token(self, cookie: str) -> str:
        """What a form on a page of whoever has this cookie carries."""
        return self._sign("form", cookie)

    def is_form_token(self, given: str, cookie: str) -> bool:
        """Whether a form came from such a page."""
        return hmac.compare_digest(given.encode(), self.form_token(cookie).encode())

    def _sign(self, what: str, said: str) -> str:
        return hmac.new(self._key, f"{what}:{said}".encode(), hashlib.sha256).hexdigest()
