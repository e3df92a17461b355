# SPDX-License-Identifier: AGPL-3.0-or-later
"""One request and its answer: what is known of it, and how it ended."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from proxy.config.written import Repeat

if TYPE_CHECKING:
    from proxy.dataplane.capture import Capture
    from proxy.dataplane.client import ClientConnection
    from proxy.dataplane.edge import Generation
    from proxy.dataplane.framing import BodyReader
    from proxy.dataplane.heads import RequestHead
    from proxy.dataplane.upstream import UpstreamConnection
    from proxy.routing.split import Decision
    from proxy.routing.table import Route


class Exchange:
    """A request on its way. Made when its head is complete, accounted for exactly once when it ends.

    It keeps the generation it was decided under. Times are seconds of the edge's clock.
    `unsent`: what must still be written to the backend once there is a connection.
    """

    __slots__ = (
        "backend",
        "bytes_in",
        "bytes_out",
        "capture",
        "client",
        "decision",
        "ends_at",
        "failure",
        "first_byte_at",
        "generation",
        "head",
        "pool",
        "request_body",
        "request_id",
        "retried",
        "route",
        "started_at",
        "status",
        "timeouts",
        "unsent",
        "upstream",
    )

    def __init__(
        self,
        client: ClientConnection,
        head: RequestHead,
        generation: Generation,
        route: Route,
        decision: Decision,
        request_id: bytes,
        started_at: float,
    ) -> None:
        self.client = client
        self.head = head
        self.generation = generation
        self.route = route
        self.decision = decision
        self.request_id = request_id
        self.started_at = started_at
        self.send_to(decision.backend)
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
        return self.head.method in _SAFE and self.head.length == 0 and self.route.repeat is not Repeat.UNSAFE

    def send_to(self, backend: int) -> None:
        """Choose its backend (an index into the generation's)."""
        self.backend = backend
        self.pool = self.generation.pools[backend]
        self.timeouts = self.pool.backend.timeouts
        total = self.timeouts.total
        self.ends_at = math.inf if total is None else self.started_at + total


_SAFE: Final = frozenset({b"GET", b"HEAD", b"OPTIONS"})
