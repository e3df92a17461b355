# SPDX-License-Identifier: AGPL-3.0-or-later
"""One request and its answer: what is known of it, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from proxy.dataplane.capture import Capture
    from proxy.dataplane.client import ClientConnection
    from proxy.dataplane.edge import Generation
    from proxy.dataplane.framing import BodyReader
    from proxy.dataplane.heads import RequestHead
    from proxy.dataplane.upstream import UpstreamConnection
    from proxy.routing.lane import Lane, Verdict


class Exchange:
    """A request on its way. Made when its head is complete, accounted for exactly once when it ends.

    It keeps the generation it was decided under. `subject` is the user's hash of 64 bits, 0 where none was drawn;
    `set_cookie` a new value for the edge's own cookie. Times are seconds of the edge's clock.
    `unsent`: what must still be written to the backend once there is a connection.
    """

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "capture",
        "client",
        "ends_at",
        "failure",
        "first_byte_at",
        "generation",
        "head",
        "lane",
        "pool",
        "request_body",
        "request_id",
        "retried",
        "set_cookie",
        "started_at",
        "status",
        "subject",
        "unsent",
        "upstream",
        "verdict",
    )

    def __init__(
        self,
        client: ClientConnection,
        head: RequestHead,
        generation: Generation,
        lane: Lane,
        verdict: Verdict,
        request_id: bytes,
        started_at: float,
    ) -> None:
        self.client = client
        self.head = head
        self.generation = generation
        self.lane = lane
        self.request_id = request_id
        self.started_at = started_at
        self.go(verdict)
        self.subject = 0
        self.set_cookie: bytes | None = None
        self.first_byte_at = 0.0
        self.status = 0
        self.failure = ""
        self.request_body: BodyReader | None = None
        self.unsent: list[bytes] = []
        self.upstream: UpstreamConnection | None = None
        self.retried = False
        self.capture: Capture | None = None
        self.bytes_in = 0
        self.bytes_out = 0

    def may_be_repeated(self) -> bool:
        """Whether sending it twice does no harm: a safe method, no body, and a route not marked otherwise."""
        return self.head.length == 0 and self.lane.may_repeat and self.head.method in _SAFE

    def go(self, verdict: Verdict) -> None:
        """Choose its side."""
        self.verdict = verdict
        self.pool = self.generation.pools[verdict.backend]
        self.ends_at = self.started_at + self.pool.total


_SAFE: Final = frozenset({b"GET", b"HEAD", b"OPTIONS"})
