# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which side answers a request, and why. Pure; made for every request.

A subject (see `subject.py`) falls into one of 10,000 buckets by a hash of nothing but the file's salt and the subject.
A group's share of P % takes the buckets below P × 100 to the new side. So a subject's place never changes, raising the
share moves nobody back, and 0 and 100 are exact.

Before the bucket counts, in this order: a route that is in no group, the kill switch, a request whose real method may
hide in a header or body, `keep_on_legacy`, pins. Behind it: whether the new side is available at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from proxy.routing.query import carries
from proxy.routing.subject import SubjectReader
from proxy.routing.table import BUCKETS, Group, Route, Table, header_spellings
from proxy.routing.visitor import Visitor


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


class Decision(msgspec.Struct, frozen=True, gc=False):
    """Where one request goes, and why.

    `bucket` is None where it did not matter. `set_cookie` is a new value for the visitor's own cookie, to be set on
    the answer. `subject_kind` says what the bucket was drawn from, "" where nothing was; `subject` is its hash of 64
    bits, by which users are told apart and counted, 0 where nothing was drawn.
    """

    side: str
    backend: int
    reason: Reason
    bucket: int | None
    percent: float
    group: str | None
    set_cookie: bytes | None
    subject_kind: str
    subject: int = 0


METHOD_OVERRIDE = frozenset(header_spellings("X-HTTP-Method-Override"))
"""The header by which Rack lets a POST name another method, in every spelling that Puma takes for it."""


_SHARE = Reason.SHARE  # looked up once: members of an enumeration are found through a descriptor each time


def decide(
    table: Table,
    route: Route,
    *,
    method: bytes,
    path: bytes,
    query: bytes,
    headers: Mapping[bytes, bytes],
    reader: SubjectReader,
    peer: str,
    available: Sequence[bool],
    user: str | None = None,
) -> Decision:
    """Where a request goes.

    `route` is what `table.match` found, or `table.unmatched`. `path` and `query` are raw; `headers` maps lower-case
    names to first values; `peer` is the client's address; `available` says of each backend whether it can be used;
    `user` replaces the user whom the cookies name (for `explain`).
    """
    visitor = Visitor(table, reader, headers, query, peer, user)
    return choose(table, route, method, path, headers, visitor, available)


def choose(
    table: Table,
    route: Route,
    method: bytes,
    path: bytes,
    headers: Mapping[bytes, bytes],
    visitor: Visitor,
    available: Sequence[bool],
) -> Decision:
    """`decide` for a visitor already met."""
    group = route.group
    if group is None:
        reason = Reason.UNMATCHED if route is table.unmatched else Reason.NO_GROUP
        return _answer(table, table.legacy, reason, None, visitor)
    if group.kill or not (group.threshold or group.pins):
        return _answer(table, group.from_backend, Reason.KILL if group.kill else _SHARE, group, visitor)
    stays = _stays(table, route, group, method, path, headers, visitor)
    if stays is not None:
        return _answer(table, group.from_backend, stays, group, visitor)
    if group.pins:
        pinned = visitor.pinned_to(group)
        if pinned is not None:
            if available[pinned]:
                return _answer(table, pinned, Reason.PIN, group, visitor)
            return _answer(table, group.from_backend, Reason.UNHEALTHY, group, visitor)
    if group.threshold == 0:
        return _answer(table, group.from_backend, _SHARE, group, visitor)
    bucket = None
    if group.threshold < BUCKETS:
        bucket = visitor.bucket(group.sticky, group.sticky_header)
        if bucket >= group.threshold:
            return _answer(table, group.from_backend, _SHARE, group, visitor, bucket)
    if available[group.to_backend]:
        return _answer(table, group.to_backend, _SHARE, group, visitor, bucket)
    return _answer(table, group.from_backend, Reason.UNHEALTHY, group, visitor, bucket)


def settled(table: Table, route: Route) -> Decision | None:
    """What `decide` says of `route` to everybody who needs no cookie (see `needs_no_cookie`); None where that
    depends on more. Most of a young configuration is settled: no group, a share of 0, or killed.
    """
    group = route.group
    if group is not None and not group.kill and (group.threshold or group.pins):
        return None
    if group is None:
        reason = Reason.UNMATCHED if route is table.unmatched else Reason.NO_GROUP
        return Decision(table.backends[table.legacy].name, table.legacy, reason, None, 0, None, None, "")
    reason = Reason.KILL if group.kill else _SHARE
    side = table.backends[group.from_backend].name
    return Decision(side, group.from_backend, reason, None, group.percent, group.name, None, "")


def _stays(
    table: Table,
    route: Route,
    group: Group,
    method: bytes,
    path: bytes,
    headers: Mapping[bytes, bytes],
    visitor: Visitor,
) -> Reason | None:
    """What keeps the request on the old side before anybody is asked who sent it; None for nothing."""
    if method == b"POST":
        if not METHOD_OVERRIDE.isdisjoint(headers):
            return Reason.METHOD_OVERRIDE
        if _is_form(headers) and table.hides_other_methods(route, path):
            return Reason.FORM_METHOD
    guards = group.guards
    if guards.query and carries(visitor.query, guards.query):
        return Reason.KEEP_QUERY
    if guards.session and visitor.session().keys.fit(guards.session):
        return Reason.KEEP_SESSION
    if guards.headers and not guards.headers.isdisjoint(headers):
        return Reason.KEEP_HEADER
    return None


def _is_form(headers: Mapping[bytes, bytes]) -> bool:
    """Whether Rack reads the body of a POST as a form, where `_method` may stand.

    Source: Rack::Request#form_data? and #parseable_data?: also where no Content-Type says what it is.
    """
    content_type = headers.get(b"content-type", b"").strip().lower()
    return not content_type or content_type.startswith((b"application/x-www-form-urlencoded", b"multipart/"))


def _answer(
    table: Table,
    backend: int,
    reason: Reason,
    group: Group | None,
    visitor: Visitor,
    bucket: int | None = None,
) -> Decision:
    return Decision(
        table.backends[backend].name,
        backend,
        reason,
        bucket,
        0 if group is None else group.percent,
        None if group is None else group.name,
        visitor.cookie_to_set(),
        visitor.kind,
        visitor.number,
    )


def headers_looked_at(table: Table) -> frozenset[bytes]:
    """The lower-case names of all headers that `decide` may look at, beside Cookie and Upgrade."""
    names = {b"content-type"} | METHOD_OVERRIDE
    for group in table.groups:
        names |= group.guards.headers
        if group.sticky_header:
            names.add(group.sticky_header)
    return frozenset(names)
