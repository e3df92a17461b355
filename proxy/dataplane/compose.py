# SPDX-License-Identifier: AGPL-3.0-or-later
"""The heads the edge sends: requests to backends, answers to clients, and its own short answers. Pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec

from proxy.dataplane.heads import CHUNKED, RequestHead, ResponseHead

_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_REASONS[413] = b"Content Too Large"
BUCKET_COOKIE: Final = b"banyan_bucket"
_BUCKET_SECONDS: Final = 365 * 86_400


def request_bytes(head: RequestHead, authority: bytes, forwarding: bytes, request_id: bytes) -> bytes:
    """The request's head for a backend: raw target, raw lines, what the edge adds behind them.

    `authority`: Host where the client (HTTP/1.0) sent none. `forwarding`: lines that tell of the client.
    """
    hop = b""
    if head.upgrade:
        hop = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    elif head.length == CHUNKED:
        hop = b"Transfer-Encoding: chunked\r\n"
    host = b"" if head.host else b"Host: " + authority + b"\r\n"
    return b"".join(
        (
            head.method,
            b" ",
            head.target,
            b" HTTP/1.1\r\n",
            host,
            head.block,
            hop,
            forwarding,
            b"X-Request-Id: ",
            request_id,
            b"\r\n\r\n",
        )
    )


def response_bytes(
    head: ResponseHead, chunked: bool, connection: bytes, cookie: bytes | None, body: bytes = b""
) -> bytes:
    """The answer's head for the client, with the first of its body as it is sent. `connection`: value of Connection,
    empty for none."""
    own = b"" if cookie is None else cookie
    if chunked:
        own += b"Transfer-Encoding: chunked\r\n"
    if connection:
        own += b"Connection: " + connection + b"\r\n"
        if head.status == 101:
            own += b"Upgrade: " + head.upgrade + b"\r\n"
    return b"".join((head.status_line, b"\r\n", head.block, own, b"\r\n", body))


def bucket_cookie(value: bytes, secure: bool) -> bytes:
    """The Set-Cookie line of the edge's own cookie."""
    return b"Set-Cookie: %b=%b; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax%b\r\n" % (
        BUCKET_COOKIE,
        value,
        _BUCKET_SECONDS,
        b"; Secure" if secure else b"",
    )


def own_answer(
    status: int, code: str, message: str, request_id: bytes, *, head_only: bool = False, retry_after: int = 0
) -> bytes:
    """A whole answer of the edge itself, as JSON `{"error", "message", "request_id"}`; the connection closes after."""
    body = (
        msgspec.json.encode({"error": code, "message": message, "request_id": request_id.decode("latin-1")})
        + b"\n"
    )
    lines = [
        b"HTTP/1.1 %d %b" % (status, _REASONS.get(status, b"Error")),
        b"Content-Type: application/json; charset=utf-8",
        b"Content-Length: %d" % len(body),
        b"Cache-Control: no-store",
        b"X-Request-Id: " + request_id,
        b"Connection: close",
    ]
    if retry_after:
        lines.append(b"Retry-After: %d" % retry_after)
    lines.append(b"\r\n")
    head = b"\r\n".join(lines)
    return head if head_only else head + body
