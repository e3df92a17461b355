# SPDX-License-Identifier: AGPL-3.0-or-later
"""Finds the recording that a request asks for, and says so plainly when there is none.

What makes two requests the same is in `Key`, and for raw exchanges also in `Variant`. Nothing else counts: not
the host, not what proxies add, not cookies that name nobody. Two exchanges may still share key and variant (a
plain read and one by a remember-me cookie): then the one wins whose identifying cookies and whose handling of
the connection are those of the request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from contracts.corpus import ANONYMOUS, Corpus, CorpusError, Exchange
from contracts.playback.answers import CookieMaker, RecordedRead, in_form_of, simple, without_body
from contracts.playback.http1 import Asked, BadRequestError, RequestReader
from contracts.playback.identity import Identifier, User, parse_cookies
from railscompat.session import REMEMBER_COOKIE, SESSION_COOKIE

DEFAULT_ACCEPT = "application/json"
"""What recorded reads accept unless they say otherwise."""

_SAFE = frozenset(("GET", "HEAD"))
_SHOWN = 5
"""How many recordings of the same target a refusal names."""


class Key(NamedTuple):
    """What a recorded read depends on."""

    user: User
    method: str
    target: str
    accept: str
    accept_language: str
    authorization: str


class Variant(NamedTuple):
    """What a raw exchange depends on besides its key."""

    gzip: bool
    if_none_match: str
    forgery_token_holds: bool | None
    body: bytes


class _Recorded(NamedTuple):
    """A raw exchange with what tells it from others of the same key and variant."""

    response: bytes
    version: str
    closes: bool
    identity: dict[str, str]

    @property
    def is_plain(self) -> bool:
        """Whether the connection stays open: the form of which others can be made."""
        return not self.closes

    def has_form_of(self, asked: Asked) -> bool:
        """Whether version and fate of the connection are those of the request."""
        return self.version == asked.version and self.closes == asked.closes

    def likeness(self, asked: Asked, cookies: dict[str, str]) -> tuple[bool, bool, bool]:
        """How well this fits the request, in order of weight."""
        identity = _identity(cookies)
        return self.identity == identity, self.identity.keys() == identity.keys(), self.has_form_of(asked)


class Library:
    """The recordings of a corpus, by what was asked."""

    def __init__(self, corpus: Corpus, clock: Callable[[], datetime]) -> None:
        """Indexes `corpus`; `clock` judges whether cookies have expired. Raises `CorpusError`."""
        self._identifier = Identifier(corpus, clock)
        self._stored = corpus.stored_by_digest
        self._wire: dict[tuple[Key, Variant], list[_Recorded]] = {}
        self._reads: dict[Key, RecordedRead] = {}
        self._index_wire(corpus)
        self._index_reads(corpus)

    def answer(self, asked: Asked) -> bytes | None:
        """The recorded answer as it goes over the wire; None where nothing was recorded for this request."""
        cookies = parse_cookies(asked.headers.get("cookie", ""))
        key = self._key(asked, cookies)
        exchange = self._exchange(asked, key, cookies)
        if exchange is not None:
            return exchange
        if asked.method == "HEAD":
            whole = self._exchange(asked, key._replace(method="GET"), cookies)
            if whole is not None:
                return without_body(whole)
        if asked.body or asked.method not in _SAFE:
            return None
        read = self._reads.get(key._replace(method="GET"))
        return in_form_of(asked, self._read_answer(read, asked)) if read else None

    def refusal(self, asked: Asked) -> bytes:
        """The 501 for a request that was never recorded: what was looked up, and what there is instead."""
        cookies = parse_cookies(asked.headers.get("cookie", ""))
        key, variant = self._key(asked, cookies), _variant(asked, cookies)
        same_target = [known for known in self._keys() if known.target == key.target]
        body: dict[str, Any] = {
            "error": "not recorded",
            "looked_up": _told(key, variant),
            "recorded_for_this_target": [_told(known, None) for known in same_target[:_SHOWN]],
        }
        return in_form_of(asked, simple(501, body))

    def _keys(self) -> list[Key]:
        return list(dict.fromkeys([*self._reads, *(key for key, _ in self._wire)]))

    def _key(self, asked: Asked, cookies: dict[str, str]) -> Key:
        headers = asked.headers
        return Key(
            self._identifier.user(cookies),
            asked.method,
            asked.target,
            headers.get("accept", ""),
            headers.get("accept-language", ""),
            headers.get("authorization", ""),
        )

    def _exchange(self, asked: Asked, key: Key, cookies: dict[str, str]) -> bytes | None:
        variant = _variant(asked, cookies)
        known = self._wire.get((key, variant))
        if known is None and variant.if_none_match:
            # No such recording, so the validator is of something else: the whole answer is due.
            known = self._wire.get((key, variant._replace(if_none_match="")))
        fitting = [one for one in known or () if one.is_plain or one.has_form_of(asked)]
        if not fitting:
            return None
        best = max(fitting, key=lambda one: one.likeness(asked, cookies)) if len(fitting) > 1 else fitting[0]
        return best.response if best.has_form_of(asked) else in_form_of(asked, best.response)

    def _read_answer(self, read: RecordedRead, asked: Asked) -> bytes:
        try:
            return read.answer(asked)
        except KeyError as digest:
            missing = f"{read.case.id}: the stored file with SHA-256 {digest} is not in the corpus"
            return simple(501, {"error": "not playable", "reason": missing})

    def _index_reads(self, corpus: Corpus) -> None:
        secret = corpus.env.get("SECRET_KEY_BASE") if corpus.has("env.json") else None
        maker = CookieMaker(corpus.sessions, secret)
        for case in corpus.reads():
            user = self._identifier.user(corpus.sessions.get(case.actor, {}))
            headers = {name.lower(): value for name, value in case.request.headers.items()}
            key = Key(
                user,
                case.request.method,
                case.request.path,
                headers.get("accept", DEFAULT_ACCEPT),
                headers.get("accept-language", ""),
                headers.get("authorization", ""),
            )
            self._reads.setdefault(key, RecordedRead(case, maker, self._stored))

    def _index_wire(self, corpus: Corpus) -> None:
        for exchange in corpus.wire():
            asked = asked_in(exchange)
            cookies = parse_cookies(asked.headers.get("cookie", ""))
            response = exchange.response.encode("latin-1")
            recorded = _Recorded(response, asked.version, asked.closes, _identity(cookies))
            self._wire.setdefault((self._key(asked, cookies), _variant(asked, cookies)), []).append(recorded)


def asked_in(exchange: Exchange) -> Asked:
    """The request of a raw exchange. Raises `CorpusError`."""
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


def _variant(asked: Asked, cookies: dict[str, str]) -> Variant:
    headers = asked.headers
    holds = None if asked.method in _SAFE else headers.get("x-csrf-token") == cookies.get("csrftoken")
    return Variant(
        _accepts_gzip(headers.get("accept-encoding", "")),
        headers.get("if-none-match", ""),
        holds,
        asked.body,
    )


def _accepts_gzip(header: str) -> bool:
    """Whether Rack would compress: only whether gzip is accepted makes a difference to it."""
    for coding in header.lower().split(","):
        name, _, weight = coding.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _identity(cookies: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in cookies.items() if name in (SESSION_COOKIE, REMEMBER_COOKIE)}


def _told(key: Key, variant: Variant | None) -> dict[str, Any]:
    told: dict[str, Any] = {**key._asdict(), "user": ANONYMOUS if key.user is None else key.user}
    if variant is not None:
        told |= variant._asdict()
        told["body"] = {"length": len(variant.body), "sha256": hashlib.sha256(variant.body).hexdigest()}
    return told
