# SPDX-License-Identifier: AGPL-3.0-or-later
"""What may be asked a second time, and of whom. Pure.

    catalogue   the old side may be asked   the new side may be asked
    ---------   -------------------------   -------------------------
    safe        yes                         yes
    dry         never                       yes; marked, it answers without writing
    unsafe      never                       never

Only GET and HEAD without a body, of a route in a group that is not killed, and never a request that keeps a visitor
on the old side (`keep_on_legacy`): such requests redeem what they carry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from proxy.config.written import Repeat
from proxy.routing.query import carries
from proxy.routing.subject import SubjectReader
from proxy.routing.table import Group, Route, Table

METHODS: Final = frozenset({b"GET", b"HEAD"})
MARK: Final = "X-Banyan-Shadow"
"""The header of a request that repeats another. Who receives it answers without writing, and repeats it no more."""


def other_side(table: Table, route: Route, method: bytes, served: int) -> int | None:
    """The backend that a request may be asked of too, after `served` answered it; None for nobody."""
    group = route.group
    if group is None or group.kill or table.kill or not group.shadow or method not in METHODS:
        return None
    old, new = group.from_backend, group.to_backend
    if old == new or served not in (old, new) or route.repeat is Repeat.UNSAFE:
        return None
    other = new if served == old else old
    if route.repeat is Repeat.DRY and other != new:
        return None
    return other


def is_write(route: Route, method: bytes) -> bool:
    """Whether a request may change what others read. What no route matches is judged by its method alone."""
    if method in METHODS or method == b"OPTIONS":
        return route.repeat is Repeat.UNSAFE and bool(route.pattern)
    return True


def is_kept(group: Group, reader: SubjectReader, query: bytes, headers: Mapping[bytes, bytes]) -> bool:
    """Whether `keep_on_legacy` holds the request on the old side, whatever the group's share."""
    guards = group.guards
    return bool(
        (guards.query and carries(query.decode("latin-1"), guards.query))
        or (guards.headers and not guards.headers.isdisjoint(headers))
        or (
            guards.session
            and (cookies := headers.get(b"cookie"))
            and reader.session(cookies).keys.fit(guards.session)
        )
    )


class Sampler:
    """Takes `shadow` per cent of each route's requests: exactly, by counting. One per worker, for all tables."""

    def __init__(self) -> None:
        self._shares: dict[str, float] = {}

    def takes(self, route: str, percent: float) -> bool:
        """Whether this request of the route is one of them."""
        share = self._shares.get(route, 0.0) + percent
        taken = share >= 100 - 1e-9
        self._shares[route] = share - 100 if taken else share
        return taken
