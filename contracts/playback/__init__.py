# SPDX-License-Identifier: AGPL-3.0-or-later
"""The recorded legacy: a server that answers as the real application was seen to answer.

The life of a request:

1. `http1` takes it from the connection, strictly.
2. `identity` tells the user from the cookies; `key` makes the key: user, method, raw target, `Accept`,
   `Accept-Language`, `Authorization`; for raw exchanges also whether gzip is accepted, `If-None-Match`, the
   body and, for writes, whether the token against forgery holds.
3. `library` looks it up: a raw exchange (`exchanges`) wins and goes out byte for byte; else `answers` makes
   the answer of a recorded read; else 501, never a guess.
4. `faults` may delay or spoil it; `server` writes it.

Invariants: the same request always gets the same bytes. Nothing that a proxy adds (forwarding headers,
request ids, its own cookie) makes a difference. What is asked as HTTP/1.0 or with `Connection: close` gets
that form.

    async with Playback(Corpus.open()).serve("127.0.0.1", 0) as server:
        ... server.url, server.requests_seen, server.seen
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from contracts.corpus import Corpus
from contracts.playback.faults import Conduct, Fault, Faults, Outcome, Scripted
from contracts.playback.http1 import Asked
from contracts.playback.library import Library
from contracts.playback.server import Server

__all__ = ["Asked", "Conduct", "Fault", "Faults", "Outcome", "Playback", "Scripted", "Server"]

PUMA_IDLE_SECONDS = 20.0
"""How long Puma keeps an idle connection."""


class Playback:
    """A corpus that can be served. Indexing happens once, here; it raises `CorpusError`."""

    def __init__(
        self,
        corpus: Corpus,
        *,
        faults: Conduct | None = None,
        clock: Callable[[], datetime] | None = None,
        idle_seconds: float = PUMA_IDLE_SECONDS,
        remember: int = 1000,
    ) -> None:
        """`clock` judges cookies that expire; by default it stands still at the moment of recording.

        `remember` is how many of the latest requests `Server.seen` keeps.
        """
        recorded_at = corpus.recorded_at
        self._library = Library(corpus, clock or (lambda: recorded_at))
        self._conduct = faults or Faults()
        self._idle_seconds = idle_seconds
        self._remember = remember

    def serve(self, host: str, port: int) -> AbstractAsyncContextManager[Server]:
        """Listens while the context lasts; port 0 takes a free one, told by `Server.port` and `.url`."""
        server = Server(self._library, self._conduct, self._idle_seconds, self._remember)
        return server.listening(host, port)
