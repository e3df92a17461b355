# SPDX-License-Identifier: AGPL-3.0-or-later
"""What runs: the immutable table that workers decide with.

Made by `compile.compile_table` from a checked configuration, in the parent; sent to the workers as a pickle; replaced
as a whole. A request keeps the table it began with, so no request ever sees two generations.

The records are msgspec structs, not dataclasses, because they unpickle several times faster (measured).
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from itertools import product

import msgspec

from proxy.config.written import Breaker, Health, Limits, Pool, Repeat, Shadow, Shadowing, Sticky, Timeouts
from proxy.routing.match import Matcher


class Address(msgspec.Struct, frozen=True):
    """One place where a backend listens: plain HTTP."""

    host: str
    port: int

    @property
    def authority(self) -> str:
        """`host:port`, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Backend(msgspec.Struct, frozen=True):
    """One side: where it listens and how patiently it is asked."""

    index: int
    name: str
    addresses: tuple[Address, ...]
    timeouts: Timeouts
    pool: Pool
    health: Health
    breaker: Breaker
    shadow: Shadow


class Guards(msgspec.Struct, frozen=True):
    """What keeps a request on the old side whatever its bucket.

    `query` holds decoded parameter names (latin-1 text), `session` globs over session keys, `headers` lower-case names
    in every spelling that a Rack server takes for the same header (`-` and `_`).
    """

    query: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    headers: frozenset[bytes] = frozenset()


def header_spellings(name: str) -> tuple[bytes, ...]:
    """A header's lower-case name with every mix of `-` and `_`: a Rack server takes them for the same header."""
    words = name.lower().replace("_", "-").split("-")
    mixes = product("-_", repeat=len(words) - 1) if len(words) <= 8 else iter([("-",) * (len(words) - 1)])
    return tuple(
        "".join(word + sign for word, sign in zip(words, (*mix, ""), strict=True)).encode() for mix in mixes
    )


class Group(msgspec.Struct, frozen=True):
    """Routes that move together.

    `threshold` counts buckets: a user is on the new side iff their bucket is below it. `pins` maps a subject (see
    `subject.py`) to an index into `Table.backends`. `epoch` counts how often evidence on its share began anew.
    """

    index: int
    name: str
    stage: int | None
    percent: float
    threshold: int
    from_backend: int
    to_backend: int
    kill: bool
    sticky: Sticky
    sticky_header: bytes
    guards: Guards
    pins: Mapping[bytes, int]
    shadow: float
    ramp: str | None
    bundle: str | None
    epoch: int = 0


class Share(msgspec.Struct, frozen=True):
    """The share that a group has in effect, where a rollout decides it."""

    percent: float
    epoch: int = 0


class Route(msgspec.Struct, frozen=True):
    """One route of the catalogue.

    `methods` is empty where every method matches. `body_limit` is in bytes, None for none.
    """

    index: int
    name: str
    methods: tuple[str, ...]
    pattern: str
    group: Group | None
    repeat: Repeat
    body_token: bool
    body_limit: int | None


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One generation of the routing configuration, ready to decide with.

    `legacy` is the index of the backend that takes what no group claims. `cookie_for_visitors`: some group is sticky
    by user, so whoever has no better subject gets the edge's own cookie; `cookie_for_all`: some group is sticky by
    cookie, so everybody does. `rules`: the file of comparing rules.
    """

    generation: int
    salt: bytes
    backends: tuple[Backend, ...]
    groups: tuple[Group, ...]
    routes: tuple[Route, ...]
    unmatched: Route
    legacy: int
    kill: bool
    limits: Limits
    shadowing: Shadowing
    rules: str | None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    proxy_protocol: bool
    api_key_parameters: tuple[str, ...]
    cookie_for_visitors: bool
    cookie_for_all: bool
    matcher: Matcher

    def with_shares(self, shares: Mapping[str, Share]) -> Table:
        """The same table, but these groups (by name) have these shares. A group that is killed stays killed."""
        groups = tuple(
            group
            if (share := shares.get(group.name)) is None
            else msgspec.structs.replace(
                group, percent=share.percent, threshold=round(share.percent * 100), epoch=share.epoch
            )
            for group in self.groups
        )
        routes = tuple(
            route
            if route.group is None or route.group is groups[route.group.index]
            else msgspec.structs.replace(route, group=groups[route.group.index])
            for route in self.routes
        )
        return msgspec.structs.replace(self, groups=groups, routes=routes)

    def match(self, method: bytes, path: bytes) -> Route | None:
        """The route that Rails would choose for a method and a raw path (no query); None where it has none.

        HEAD finds what GET finds, unless a route names HEAD itself.
        """
        index = self.matcher.find(method, path)
        return None if index < 0 else self.routes[index]

    def hides_other_methods(self, route: Route, path: bytes) -> bool:
        """Whether a `_method` in the body of a POST to `path` could choose another route than `route`."""
        for method in (b"PUT", b"PATCH", b"DELETE"):
            index = self.matcher.find(method, path)
            if index >= 0 and index != route.index:
                return True
        return False
