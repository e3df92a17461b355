# SPDX-License-Identifier: AGPL-3.0-or-later
"""Finds the recording that a request asks for, and says so plainly when there is none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from contracts.corpus import ANONYMOUS, DEFAULT_ACCEPT, Corpus
from contracts.playback.answers import CookieMaker, RecordedRead, in_form_of, simple, without_body
from contracts.playback.exchanges import Exchanges
from contracts.playback.http1 import Asked
from contracts.playback.identity import Identifier, parse_cookies
from contracts.playback.key import SAFE_METHODS, Key, Variant, key_of, variant_of

_SHOWN = 5
"""How many recordings of the same target a refusal names."""


class Library:
    """The recordings of a corpus, by what was asked."""

    def __init__(self, corpus: Corpus, clock: Callable[[], datetime]) -> None:
        """Indexes `corpus`; `clock` judges whether cookies have expired. Raises `CorpusError`."""
        self._identifier = Identifier(corpus, clock)
        self._exchanges = Exchanges(corpus, self._identifier)
        self._reads: dict[Key, RecordedRead] = {}
        secret = corpus.env.get("SECRET_KEY_BASE") if corpus.has("env.json") else None
        maker = CookieMaker(corpus.sessions, secret)
        for case in corpus.reads():
            key = Key(
                self._identifier.user(corpus.sessions.get(case.actor, {})),
                case.request.method,
                case.request.path,
                case.request.header("accept", DEFAULT_ACCEPT),
                case.request.header("accept-language"),
                case.request.header("authorization"),
            )
            self._reads.setdefault(key, RecordedRead(case, maker, corpus.stored_by_digest))

    def answer(self, asked: Asked) -> bytes | None:
        """The recorded answer as it goes over the wire; None where nothing was recorded for this request."""
        cookies = parse_cookies(asked.headers.get("cookie", ""))
        key = key_of(asked, self._identifier.user(cookies))
        return (
            self._exchange(key, asked, cookies, any_session=False)
            or self._read(key, asked)
            or self._exchange(key, asked, cookies, any_session=True)
        )

    def refusal(self, asked: Asked) -> bytes:
        """The 501 for a request that was never recorded: what was looked up, and what there is instead."""
        cookies = parse_cookies(asked.headers.get("cookie", ""))
        key = key_of(asked, self._identifier.user(cookies))
        keys = dict.fromkeys([*self._reads, *self._exchanges.keys()])
        same_target = [known for known in keys if known.target == key.target]
        body = {
            "error": "not recorded",
            "looked_up": {**_told(key), **_told_variant(variant_of(asked, cookies))},
            "recorded_for_this_target": [_told(known) for known in same_target[:_SHOWN]],
        }
        return in_form_of(asked, simple(501, body))

    def _exchange(
        self, key: Key, asked: Asked, cookies: dict[str, str], *, any_session: bool
    ) -> bytes | None:
        found = self._exchanges.find(key, asked, cookies, any_session=any_session)
        if found is None and key.method == "HEAD":
            whole = self._exchanges.find(key._replace(method="GET"), asked, cookies, any_session=any_session)
            return without_body(whole) if whole else None
        return found

    def _read(self, key: Key, asked: Asked) -> bytes | None:
        if asked.body or asked.method not in SAFE_METHODS:
            return None
        read = self._reads.get(key._replace(method="GET"))
        if read is None:
            return None
        try:
            return in_form_of(asked, read.answer(asked))
        except KeyError as digest:
            reason = f"{read.case.id}: no stored file of the corpus has the SHA-256 {digest}"
            return in_form_of(asked, simple(501, {"error": "not playable", "reason": reason}))


def _told(key: Key) -> dict[str, Any]:
    return {**key._asdict(), "user": ANONYMOUS if key.user is None else key.user}


def _told_variant(variant: Variant) -> dict[str, Any]:
    body = {"length": len(variant.body), "sha256": hashlib.sha256(variant.body).hexdigest()}
    return {**variant._asdict(), "body": body}
