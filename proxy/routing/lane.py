# SPDX-License-Identifier: AGPL-3.0-or-later
"""A route laid out for deciding: what its table and its group say of each request, gathered in one place.

Nearly all requests of a lane end in one of a few verdicts, so these are made once and shared.
"""

from __future__ import annotations

from enum import StrEnum

from proxy.config.written import Repeat
from proxy.routing.table import Route, Table


class Reason(StrEnum):
    """Why a request went where it went; also a metric label and a field of every log line. Never renamed."""

    __hash__ = str.__hash__  # an enumeration's own is written in Python, and this one is hashed per request

    UNMATCHED = "unmatched"
    """No route of the catalogue matches."""
    NO_GROUP = "no-group"
    """The route is in no group: it stays."""
    METHOD_OVERRIDE = "method-override"
    """A POST whose header names another method."""
    FORM_METHOD = "form-method"
    """A form POST to a path that has PUT, PATCH or DELETE routes: its body may name another method."""
    KILL = "kill"
    """The kill switch of the group, or of the file."""
    KEEP_QUERY = "keep-query"
    KEEP_SESSION = "keep-session"
    KEEP_HEADER = "keep-header"
    """`keep_on_legacy` names a query key, session key or header that the request carries."""
    PIN = "pin"
    """This user, cookie or API key is pinned."""
    UNHEALTHY = "unhealthy"
    """It would have gone to the new side, but that is not available."""
    SHARE = "share"
    """The bucket and the group's percentage decided."""


class Verdict:
    """Where requests go, and why: an index into the table's backends, and its name."""

    __slots__ = ("backend", "reason", "side")

    def __init__(self, backend: int, side: str, reason: Reason) -> None:
        self.backend = backend
        self.side = side
        self.reason = reason


class Lane:
    """One route of one table. Never changed but for the verdicts it remembers.

    `settled` is the verdict on everybody, where that depends on nothing: no group, a share of 0, or killed. `stays`
    and `moves` are what the share says; `body_limit` is -1 for none.
    """

    __slots__ = (
        "_verdicts",
        "body_limit",
        "cookie_for_all",
        "cookie_for_visitors",
        "from_backend",
        "guarded_headers",
        "guarded_queries",
        "guarded_sessions",
        "may_repeat",
        "moves",
        "pins",
        "route",
        "salt",
        "settled",
        "stays",
        "sticky",
        "sticky_header",
        "table",
        "threshold",
    )

    def __init__(self, table: Table, route: Route) -> None:
        self.table = table
        self.route = route
        self.body_limit = -1 if route.body_limit is None else route.body_limit
        self.may_repeat = route.repeat is not Repeat.UNSAFE
        self.salt = table.salt
        self.cookie_for_all = table.cookie_for_all
        self.cookie_for_visitors = table.cookie_for_visitors
        self._verdicts: dict[tuple[int, Reason], Verdict] = {}
        group = route.group
        self.settled: Verdict | None = None
        if group is None:
            self.from_backend = table.legacy
            reason = Reason.UNMATCHED if route is table.unmatched else Reason.NO_GROUP
            self.settled = self.stays = self.moves = self.verdict(table.legacy, reason)
            return
        self.from_backend = group.from_backend
        self.threshold = group.threshold
        self.sticky = group.sticky
        self.sticky_header = group.sticky_header
        self.pins = group.pins
        self.guarded_queries = group.guards.query
        self.guarded_sessions = group.guards.session
        self.guarded_headers = group.guards.headers
        self.stays = self.verdict(group.from_backend, Reason.SHARE)
        self.moves = self.verdict(group.to_backend, Reason.SHARE)
        if group.kill:
            self.settled = self.verdict(group.from_backend, Reason.KILL)
        elif not (group.threshold or group.pins):
            self.settled = self.stays

    def verdict(self, backend: int, reason: Reason) -> Verdict:
        """The verdict that all with this backend and reason share."""
        key = (backend, reason)
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self._verdicts[key] = Verdict(backend, self.table.backends[backend].name, reason)
        return verdict

    def fallen(self) -> Verdict:
        """The verdict on what would leave the old side, but the side it would go to is not available."""
        return self.verdict(self.from_backend, Reason.UNHEALTHY)
