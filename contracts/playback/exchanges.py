# SPDX-License-Identifier: AGPL-3.0-or-later
"""The raw exchanges of a corpus, played back byte for byte.

Exchanges may share key and variant: a plain read, the same read after a sign-in, the same by a remember-me
cookie. The one whose identifying cookies and whose handling of the connection are those of the request wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from contracts.corpus import Corpus, CorpusError, Exchange
from contracts.playback.answers import in_form_of
from contracts.playback.http1 import Asked, BadRequestError, RequestReader
from contracts.playback.identity import Identifier, parse_cookies
from contracts.playback.key import Key, Variant, key_of, variant_of
from railscompat.session import REMEMBER_COOKIE, SESSION_COOKIE

_IDENTIFYING = (SESSION_COOKIE, REMEMBER_COOKIE)


class _Recorded(NamedTuple):
    """One exchange. `has_own_session`: its cookies were made by another exchange, a recorded sign-in, and what
    it answers may not be what the actor's session of `sessions.json` would have been answered.
    """

    response: bytes
    version: str
    closes: bool
    identity: dict[str, str]
    has_own_session: bool

    def fits(self, asked: Asked) -> bool:
        """Whether this has the form that was asked for, or the one from which others are made."""
        return not self.closes or self.has_form_of(asked)

    def has_form_of(self, asked: Asked) -> bool:
        """Whether version and fate of the connection are those of the request."""
        return self.version == asked.version and self.closes == asked.closes


class Exchanges:
    """All exchanges, by key and variant."""

    def __init__(self, corpus: Corpus, identifier: Identifier) -> None:
        self._recorded: dict[tuple[Key, Variant], list[_Recorded]] = {}
        for exchange in corpus.wire():
            asked = _asked_in(exchange)
            cookies = parse_cookies(asked.headers.get("cookie", ""))
            identity = _identity(cookies)
            recorded = _Recorded(
                exchange.response.encode("latin-1"),
                asked.version,
                asked.closes,
                identity,
                bool(identity) and identity != _identity(corpus.sessions.get(exchange.actor, {})),
            )
            place = key_of(asked, identifier.user(cookies)), variant_of(asked, cookies)
            self._recorded.setdefault(place, []).append(recorded)

    def keys(self) -> list[Key]:
        """What there are exchanges for."""
        return list(dict.fromkeys(key for key, _ in self._recorded))

    def find(self, key: Key, asked: Asked, cookies: Mapping[str, str], *, any_session: bool) -> bytes | None:
        """The answer to `asked` under `key`, in the form that was asked for.

        `any_session` allows for exchanges that were recorded with another session of the same user.
        """
        variant = variant_of(asked, cookies)
        found = self._recorded.get((key, variant))
        if found is None and variant.if_none_match:
            # Validators of other answers match nothing: the whole answer is due.
            found = self._recorded.get((key, variant._replace(if_none_match="")))
        if found is None:
            return None
        identity = _identity(cookies)
        fitting = [
            one
            for one in found
            if one.fits(asked) and (any_session or not one.has_own_session or one.identity == identity)
        ]
        if not fitting:
            return None
        best = max(
            fitting,
            key=lambda one: (
                one.identity == identity,
                one.identity.keys() == identity.keys(),
                one.has_form_of(asked),
            ),
        )
        return best.response if best.has_form_of(asked) else in_form_of(asked, best.response)


def _asked_in(exchange: Exchange) -> Asked:
    reader = RequestReader()
    try:
        reader.feed(exchange.request.encode("latin-1"))
        asked = reader.next()
    except (UnicodeEncodeError, BadRequestError) as error:
        raise CorpusError("corpus-broken", f"exchange {exchange.id!r} ({exchange.form}): {error}") from error
    if asked is None or reader.in_request:
        raise CorpusError(
            "corpus-broken", f"exchange {exchange.id!r} ({exchange.form}): not one whole request"
        )
    return asked


def _identity(cookies: Mapping[str, str]) -> dict[str, str]:
    return {name: cookies[name] for name in _IDENTIFYING if name in cookies}
