# SPDX-License-Identifier: AGPL-3.0-or-later
"""From raw heads and bodies to what a comparison looks at: who asked, and what was answered. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from proxy.experiment.inflate import EncodingError, inflate
from proxy.experiment.observation import Asked, Failure, Observation
from proxy.routing.query import carries, value_of
from proxy.routing.subject import key_subject

if TYPE_CHECKING:
    from proxy.experiment.lift import Lifted
    from proxy.routing.subject import SubjectReader
    from proxy.routing.table import Route, Table

_BUILD: Final = b"x-banyan-build"
_FAILURES: Final = {
    "backend_unreachable": Failure.UNREACHABLE,
    "backend_connect_timeout": Failure.UNREACHABLE,
    "backend_reset": Failure.RESET,
    "backend_malformed": Failure.MALFORMED,
    "backend_first_byte_timeout": Failure.TIMEOUT,
    "backend_stream_timeout": Failure.TIMEOUT,
    "backend_total_timeout": Failure.TIMEOUT,
    "client_closed": Failure.CANCELLED,
    "client_stalled": Failure.CANCELLED,
    "shutdown": Failure.CANCELLED,
}
"""The data plane's codes that say what became of a side's answer. Others are the edge's own refusals."""

_SAID_NOTHING: Final = frozenset({Failure.CANCELLED, Failure.TOO_LARGE, Failure.ENCODING, Failure.TIMEOUT})


def says_something_of_a_side(failure: str) -> bool:
    """Whether an exchange that ended with this code ("" for well) can be compared or counted at all."""
    return not failure or failure in _FAILURES


def fields_of(head: bytes) -> dict[bytes, bytes]:
    """Lower-case name → first value of a request's head (cookies joined)."""
    fields: dict[bytes, bytes] = {}
    for line in head.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if not colon:
            continue
        name, value = name.lower(), value.strip(b" \t")
        if name == b"cookie" and name in fields:
            fields[name] += b"; " + value
        else:
            fields.setdefault(name, value)
    return fields


def subject_of(table: Table, reader: SubjectReader, fields: Mapping[bytes, bytes], query: bytes) -> bytes:
    """Who sent a request: the user, else the API key, else the edge's own cookie; empty for nobody known."""
    cookies = fields.get(b"cookie", b"")
    person = reader.session(cookies).user or reader.remembered(cookies) if cookies else None
    if person is not None:
        return person
    key = value_of(query.decode("latin-1"), table.api_key_parameters)
    if key is not None:
        return key_subject(key)
    own = reader.own(cookies) if cookies else None
    return b"" if own is None else b"cookie:" + own


def role_of(table: Table, route: Route, reader: SubjectReader, head: bytes) -> str:
    """How the sender is known: `signed_in`, `api_key`, `guest_token` or `anonymous`."""
    query = head.split(b" ", 2)[1].partition(b"?")[2]
    subject = subject_of(table, reader, fields_of(head), query)
    if subject.startswith(b"user:"):
        return "signed_in"
    if subject.startswith(b"key:"):
        return "api_key"
    group = route.group
    if group is not None and group.guards.query and carries(query.decode("latin-1"), group.guards.query):
        return "guest_token"
    return "anonymous"


def asked_of(head: bytes, role: str) -> Asked:
    """The request as it was sent."""
    first, *lines = head[:-4].split(b"\r\n")
    method, target, _ = first.decode("latin-1").split(" ", 2)
    pairs = (line.decode("latin-1").partition(":") for line in lines)
    return Asked(method, target, tuple((name, value.strip(" \t")) for name, _, value in pairs), role)


def served(table: Table, lifted: Lifted, body: bytes) -> Observation:
    """What the user was answered, from what the worker handed over."""
    failure = _FAILURES.get(lifted.failure)
    if failure is None and not lifted.complete:
        failure = Failure.TOO_LARGE
    lines = (line.partition(b":") for line in lifted.block.split(b"\r\n") if line)
    return observed(
        table.backends[lifted.served].name,
        lifted.status,
        [(name, value.strip(b" \t")) for name, _, value in lines],
        body,
        lifted.ended - lifted.began,
        failure,
        table.shadowing.body,
    )


def observed(
    side: str,
    status: int,
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes,
    seconds: float,
    failure: Failure | None,
    limit: int,
) -> Observation:
    """What a side answered, its body inflated within `limit` bytes."""
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    encodings = ",".join(value for name, value in pairs if name.lower() == "content-encoding")
    if encodings and failure is None:
        try:
            body = inflate(body, encodings, limit)
        except EncodingError:
            failure = Failure.ENCODING
    build = next((value for name, value in headers if name.lower() == _BUILD), b"")
    return Observation(side, status, tuple(pairs), body, seconds, failure, build.decode("latin-1")[:64])


def decided_alone(one: Observation) -> bool:
    """Whether nothing could be said whatever the other side answered, so that it need not be asked."""
    return one.failure in _SAID_NOTHING or one.status == 304
