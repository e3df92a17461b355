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

import msgspec

from proxy.routing.buckets import BUCKETS
from proxy.routing.lane import Lane, Reason, Verdict
from proxy.routing.query import carries
from proxy.routing.subject import SubjectReader
from proxy.routing.table import Route, Table, header_spellings
from proxy.routing.visitor import Visitor


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
    lane = Lane(table, route)
    visitor = Visitor(lane, reader, headers, query, peer, user)
    verdict = choose(lane, method, path, headers, visitor)
    if verdict.backend != lane.from_backend and not available[verdict.backend]:
        verdict = lane.fallen()
    group = route.group
    return Decision(
        verdict.side,
        verdict.backend,
        verdict.reason,
        None if visitor.drawn < 0 else visitor.drawn,
        0 if group is None else group.percent,
        None if group is None else group.name,
        visitor.cookie_to_set(),
        visitor.kind,
        visitor.number,
    )


def choose(
    lane: Lane, method: bytes, path: bytes, headers: Mapping[bytes, bytes], visitor: Visitor
) -> Verdict:
    """The verdict on a request of `lane`, as if every backend were available."""
    if lane.settled is not None:
        return lane.settled
    reason = _keeps(lane, method, path, headers, visitor)
    if reason is not None:
        return lane.verdict(lane.from_backend, reason)
    if lane.pins:
        pinned = visitor.pinned_to(lane.pins)
        if pinned is not None:
            return lane.verdict(pinned, Reason.PIN)
    if lane.threshold == BUCKETS:
        return lane.moves
    if lane.threshold == 0 or visitor.bucket(lane.sticky, lane.sticky_header) >= lane.threshold:
        return lane.stays
    return lane.moves


def _keeps(
    lane: Lane, method: bytes, path: bytes, headers: Mapping[bytes, bytes], visitor: Visitor
) -> Reason | None:
    """What keeps the request on the old side before anybody is asked who sent it; None for nothing."""
    if method == b"POST":
        if not METHOD_OVERRIDE.isdisjoint(headers):
            return Reason.METHOD_OVERRIDE
        if _is_form(headers) and lane.table.hides_other_methods(lane.route, path):
            return Reason.FORM_METHOD
    if lane.guarded_queries and visitor.query and carries(visitor.query, lane.guarded_queries):
        return Reason.KEEP_QUERY
    if lane.guarded_sessions and visitor.session().keys.fit(lane.guarded_sessions):
        return Reason.KEEP_SESSION
    if lane.guarded_headers and not lane.guarded_headers.isdisjoint(headers):
        return Reason.KEEP_HEADER
    return None


def _is_form(headers: Mapping[bytes, bytes]) -> bool:
    """Whether Rack reads the body of a POST as a form, where `_method` may stand.

    Source: Rack::Request#form_data? and #parseable_data?: also where no Content-Type says what it is.
    """
    content_type = headers.get(b"content-type", b"").strip().lower()
    return not content_type or content_type.startswith((b"application/x-www-form-urlencoded", b"multipart/"))


def headers_looked_at(table: Table) -> frozenset[bytes]:
    """The lower-case names of all headers that `decide` may look at, beside Cookie and Upgrade."""
    names = {b"content-type"} | METHOD_OVERRIDE
    for group in table.groups:
        names |= group.guards.headers
        if group.sticky_header:
            names.add(group.sticky_header)
    return frozenset(names)
