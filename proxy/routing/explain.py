# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the edge would do with a request, and why, without sending it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec

from proxy.config.written import Sticky
from proxy.routing.lane import Lane, Reason
from proxy.routing.split import decide
from proxy.routing.subject import BUCKET_COOKIE, SubjectReader
from proxy.routing.table import Table
from proxy.routing.visitor import Visitor

NEW_VISITOR = "new visitor"
"""The subject of a question that names nobody: its bucket is drawn, and another time it will be another."""

WHY: Mapping[Reason, str] = {
    Reason.UNMATCHED: "no route of the catalogue matches",
    Reason.NO_GROUP: "the route is in no group, so it stays",
    Reason.METHOD_OVERRIDE: "a header of this POST may name another method",
    Reason.FORM_METHOD: "the body of this form may name another method, and the path has PUT, PATCH or DELETE routes",
    Reason.KILL: "the kill switch is on",
    Reason.KEEP_QUERY: "keep_on_legacy names one of its query parameters",
    Reason.KEEP_SESSION: "keep_on_legacy names a key of its session",
    Reason.KEEP_HEADER: "keep_on_legacy names one of its headers",
    Reason.PIN: "this visitor is pinned",
    Reason.UNHEALTHY: "the side it belongs to is not available",
    Reason.SHARE: "bucket and percentage decided",
}
"""Every reason in a sentence."""

_URL = "".join(map(chr, range(0x21, 0x7F)))


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to explain.

    `path` may carry a query. Who asks is at most one of: `user` (an id), `cookie` (a raw Cookie header, or only the
    value of the edge's own cookie), `api_key`. `headers` are further request headers.
    """

    path: str
    method: str = "GET"
    user: str | int | None = None
    cookie: str | None = None
    api_key: str | None = None
    headers: Mapping[str, str] = {}
    peer: str = "127.0.0.1"


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer.

    `matched` is the route as the catalogue has it (method and path), empty for none. `bucket` is None where nobody
    was named and none was needed.
    """

    route: str
    matched: str
    group: str | None
    generation: int
    bucket: int | None
    percent: float
    side: str
    reason: Reason
    subject: str


def explain(
    table: Table, question: Question, reader: SubjectReader, available: Sequence[bool]
) -> Explanation:
    """Where the request would go. The same code decides that decides for real requests."""
    path, _, query = question.path.partition("?")
    if question.api_key is not None:
        query = f"{query}&{table.api_key_parameters[0]}={quote(question.api_key)}"
    headers = {name.lower().encode(): value.encode() for name, value in question.headers.items()}
    if question.cookie is not None:
        headers[b"cookie"] = _cookie_header(question.cookie)
    method = question.method.upper().encode()
    raw_path, raw_query = _raw(path), _raw(query)
    user = None if question.user is None else str(question.user)
    route = table.match(method, raw_path) or table.unmatched
    decision = decide(
        table,
        route,
        method=method,
        path=raw_path,
        query=raw_query,
        headers=headers,
        reader=reader,
        peer=question.peer,
        available=available,
        user=user,
    )
    bucket, subject = decision.bucket, decision.subject_kind
    if bucket is None and decision.set_cookie is None:
        # It did not matter here, but whoever asks wants to know it.
        visitor = Visitor(Lane(table, route), reader, headers, raw_query, question.peer, user)
        group = route.group
        bucket = (
            visitor.bucket(group.sticky, group.sticky_header) if group else visitor.bucket(Sticky.USER, b"")
        )
        subject = subject or visitor.kind
    if decision.set_cookie is not None:
        subject = NEW_VISITOR
    return Explanation(
        route=route.name,
        matched="" if route is table.unmatched else f"{'|'.join(route.methods) or 'ANY'} {route.pattern}",
        group=decision.group,
        generation=table.generation,
        bucket=bucket,
        percent=decision.percent,
        side=decision.side,
        reason=decision.reason,
        subject=subject,
    )


def _raw(text: str) -> bytes:
    """As a browser would send it: whatever is no printable ASCII percent-encoded, the rest untouched."""
    return (text if text.isascii() and text.isprintable() else quote(text, safe=_URL)).encode()


def _cookie_header(text: str) -> bytes:
    return (text if "=" in text else f"{BUCKET_COOKIE.decode()}={text}").encode()
