# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers as bytes: put together from a recorded read, or taken as they were recorded.

All are kept in the form of HTTP/1.1 with a connection that stays open; `in_form_of` makes the others. As with
the recorded server (Puma), an answer to HEAD and one of status 304 say `content-length: 0`.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus

import msgspec

from contracts.corpus import Cookie, Read
from contracts.notation import render
from contracts.playback.http1 import Asked
from railscompat.cookies import EncryptedCookies
from railscompat.session import SESSION_COOKIE

_ETAGGED = "must-revalidate"
"""Rack sets an ETag on those answers whose cache control says this (recorded in `wire.jsonl`)."""


class CookieMaker:
    """Values for the cookies of recorded answers: the same for the same case, and of the right shape."""

    def __init__(self, sessions: Mapping[str, Mapping[str, str]], secret_key_base: str | None) -> None:
        self._sessions = sessions
        self._encrypted = EncryptedCookies(secret_key_base) if secret_key_base else None

    def line(self, cookie: Cookie, case: Read) -> str:
        """The value of a `Set-Cookie` header, attributes in Rack's order."""
        if cookie.deleted:
            return f"{cookie.name}=; path={cookie.path}; max-age=0; expires=Thu, 01 Jan 1970 00:00:00 GMT"
        parts = [f"{cookie.name}={self._value(cookie.name, case)}", f"path={cookie.path}"]
        if cookie.expires:
            parts.append(f"expires={_http_date(case.date + timedelta(days=1))}")
        if cookie.secure:
            parts.append("secure")
        if cookie.httponly:
            parts.append("httponly")
        if cookie.samesite:
            parts.append(f"samesite={cookie.samesite}")
        return "; ".join(parts)

    def _value(self, name: str, case: Read) -> str:
        if name == SESSION_COOKIE:
            return self._session(case)
        if name == "signed_in":
            return "1"
        return urlsafe_b64encode(hashlib.sha512(f"{name} {case.id}".encode()).digest()).decode().rstrip("=")

    def _session(self, case: Read) -> str:
        """The actor's own session; a fresh one of nobody for who has none."""
        own = self._sessions.get(case.actor, {}).get(SESSION_COOKIE)
        if own:
            return own
        digest = hashlib.sha256(f"session {case.id}".encode()).digest()
        if self._encrypted:
            return self._encrypted.encrypt(
                SESSION_COOKIE, {"session_id": digest[:16].hex()}, nonce=digest[16:28]
            )
        parts = (digest * 4, digest[:12], digest[16:])
        return "--".join(
            b64encode(part).decode().replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
            for part in parts
        )


class RecordedRead:
    """A recorded GET, ready to be answered; bytes are made when they are first needed, and kept."""

    def __init__(self, case: Read, cookies: CookieMaker, stored: Mapping[str, bytes]) -> None:
        self.case = case
        self._cookies = cookies
        self._stored = stored
        self._whole: bytes | None = None
        self._etag = ""

    def answer(self, asked: Asked) -> bytes:
        """The answer to GET or HEAD, perhaps with `If-None-Match`. Raises `KeyError` as `render` does."""
        whole = self._whole or self._make()
        candidates = asked.headers.get("if-none-match")
        if candidates and self._etag and self._etag in candidates:
            return self._head(304, len(b""), without="content-type")
        if asked.method == "HEAD":
            return self._head(self.case.response.status, 0)
        return whole

    def _make(self) -> bytes:
        response = self.case.response
        body = render(response.parsed_body(), self._stored)
        if response.status == 200 and body and _ETAGGED in response.plain_headers.get("cache-control", ""):
            self._etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
        self._whole = whole = self._head(response.status, len(body)) + body
        return whole

    def _head(self, status: int, length: int, without: str = "") -> bytes:
        response = self.case.response
        lines = [f"HTTP/1.1 {status} {_reason(status)}"]
        lines += [f"{name}: {value}" for name, value in response.plain_headers.items() if name != without]
        if self._etag:
            lines.append(f"etag: {self._etag}")
        lines += [f"set-cookie: {self._cookies.line(cookie, self.case)}" for cookie in response.cookies]
        lines.append(f"content-length: {length}")
        return "\r\n".join([*lines, "", ""]).encode()


def simple(status: int, body: object) -> bytes:
    """An answer of the playback itself, as JSON."""
    content = msgspec.json.format(msgspec.json.encode(body), indent=2) + b"\n"
    head = (
        f"HTTP/1.1 {status} {_reason(status)}\r\n"
        "content-type: application/json; charset=utf-8\r\n"
        "cache-control: no-store\r\n"
        f"content-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def in_form_of(asked: Asked, answer: bytes) -> bytes:
    """`answer` (HTTP/1.1, connection kept) in the form that the request needs."""
    if not asked.closes:
        return answer
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    if asked.version == "HTTP/1.0":
        lines[0] = b"HTTP/1.0" + lines[0][8:]
        if b"transfer-encoding: chunked" in lines:
            # The end of the connection ends the body.
            lines.remove(b"transfer-encoding: chunked")
            body = dechunked(body)
    else:
        lines.append(b"connection: close")
    return b"\r\n".join([*lines, b"", body])


def without_body(answer: bytes) -> bytes:
    """The head of an answer."""
    return answer[: answer.index(b"\r\n\r\n") + 4]


def dechunked(body: bytes) -> bytes:
    """The content of a well-formed chunked body."""
    content = bytearray()
    while True:
        line, _, body = body.partition(b"\r\n")
        size = int(line.split(b";")[0], 16)
        if size == 0:
            return bytes(content)
        content += body[:size]
        body = body[size + 2 :]


def _http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _reason(status: int) -> str:
    try:
        return "Unprocessable Content" if status == 422 else HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
