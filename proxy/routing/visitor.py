# SPDX-License-Identifier: AGPL-3.0-or-later
"""One request's sender, as far as the decision needs to know: bucket, pins, session keys, own cookie."""

from __future__ import annotations

from collections.abc import Mapping

from proxy.config.written import Sticky
from proxy.routing.buckets import BUCKETS
from proxy.routing.lane import Lane
from proxy.routing.native import hash_of
from proxy.routing.query import value_of
from proxy.routing.subject import NO_SESSION, Session, SubjectReader, key_subject

_KINDS = {
    b"use": "user",
    b"key": "key",
    b"coo": "cookie",
    b"hea": "header",
    b"add": "address",
    b"dra": "draw",
}
"""What a subject is, by how it begins."""

# Members of an enumeration are looked up through a descriptor each time; this is the hot path.
_USER, _COOKIE, _HEADER = Sticky.USER, Sticky.COOKIE, Sticky.HEADER


def needs_no_cookie(lane: Lane, reader: SubjectReader, headers: Mapping[bytes, bytes]) -> bool:
    """Whether it is plain that a visitor gets no cookie of the edge's own: they have it, or a session."""
    cookies = headers.get(b"cookie")
    if cookies is None:
        return False
    if not lane.cookie_for_all and reader.has_session(cookies):
        return True
    return reader.own(cookies) is not None


class Visitor:
    """What is known of one request's sender; each thing is found out once, and only when asked for.

    `query` is the query as text (see `query.py`). `kind` says what the bucket (or pin) was found by, in the words of
    `Decision.subject_kind`; `drawn` is the bucket and `number` the hash it was drawn from, -1 and 0 before.
    """

    __slots__ = (
        "_cookies",
        "_headers",
        "_lane",
        "_minted",
        "_own",
        "_peer",
        "_person",
        "_reader",
        "_session",
        "drawn",
        "kind",
        "number",
        "query",
    )

    def __init__(
        self,
        lane: Lane,
        reader: SubjectReader,
        headers: Mapping[bytes, bytes],
        query: bytes,
        peer: str,
        user: str | None,
    ) -> None:
        self.query = query.decode("latin-1")
        self.kind = ""
        self.drawn = -1
        self.number = 0
        self._lane = lane
        self._reader = reader
        self._headers = headers
        self._cookies = headers.get(b"cookie")
        self._peer = peer
        self._person: bytes | None = None if user is None else b"user:" + user.encode()
        self._own: bytes | None = None
        self._minted: bytes | None = None
        self._session: Session | None = None

    def session(self) -> Session:
        """The Rails session."""
        session = self._session
        if session is None:
            cookies = self._cookies
            session = self._session = self._reader.session(cookies) if cookies else NO_SESSION
        return session

    def pinned_to(self, pins: Mapping[bytes, int]) -> int | None:
        """The backend that this visitor is pinned to by user, API key or own cookie, in this order."""
        for subject in (self._find_person(), self._find_own()):
            if subject is not None and subject in pins:
                self.kind = _KINDS[subject[:3]]
                return pins[subject]
        return None

    def bucket(self, sticky: Sticky, header: bytes) -> int:
        """The visitor's bucket, drawn from what `sticky` says; `header` is the name of its header."""
        if sticky is _USER or sticky is _COOKIE:
            subject = (self._find_person() if sticky is _USER else None) or self._find_own() or self._mint()
        elif sticky is _HEADER:
            value = self._headers.get(header)
            subject = b"header:" + value if value else None
        else:
            subject = b"draw:" + self._reader.draw()
        if subject is None:
            subject = b"address:" + self._peer.encode()
        self.kind = _KINDS[subject[:3]]
        self.number = hash_of(self._lane.salt, subject)
        self.drawn = self.number % BUCKETS
        return self.drawn

    def cookie_to_set(self) -> bytes | None:
        """A new value for the own cookie, where the visitor needs one and can be given one.

        A session is not decrypted merely for this. Whoever has one was here before and got a cookie then; if that was
        before there was an edge, the first decision that looks into the session sees to it.
        """
        if self._own is None:
            lane = self._lane
            if (
                (lane.cookie_for_visitors or lane.cookie_for_all)
                and (lane.cookie_for_all or not (self._has_unread_session() or self._find_person()))
                and self._find_own() is None
            ):
                self._mint()
        return self._minted

    def _has_unread_session(self) -> bool:
        cookies = self._cookies
        return self._session is None and cookies is not None and self._reader.has_session(cookies)

    def _find_person(self) -> bytes | None:
        """The subject of the user or API key."""
        if self._person is None:
            self._person = self.session().user or self._find_remembered()
            if self._person is None:
                key = value_of(self.query, self._lane.table.api_key_parameters)
                self._person = None if key is None else key_subject(key)
        return self._person

    def _find_remembered(self) -> bytes | None:
        return self._reader.remembered(self._cookies) if self._cookies else None

    def _find_own(self) -> bytes | None:
        """The subject of the edge's own cookie."""
        if self._own is None:
            value = self._reader.own(self._cookies) if self._cookies else None
            self._own = None if value is None else b"cookie:" + value
        return self._own

    def _mint(self) -> bytes | None:
        """The subject of a new cookie; None where the answer is no place for one (a WebSocket's)."""
        if b"upgrade" in self._headers:
            return None
        self._minted = self._reader.mint()
        self._own = b"cookie:" + self._minted
        return self._own
