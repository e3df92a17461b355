# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sends the steps of a case as its actors' browsers did: cookies kept per person, a token with each write."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from contracts.address import Address
from contracts.client import Connection
from contracts.compare import Answer
from contracts.corpus import DEFAULT_ACCEPT, WriteRequest

CSRF_COOKIE = "csrftoken"
CSRF_HEADER = "X-CSRF-TOKEN"

_TOKEN = "banyan-verify-writes"  # noqa: S105 - any value: cookie and header have to be equal
_SAFE = frozenset(("GET", "HEAD"))


class MissingFileError(Exception):
    """A form carried a file whose content the corpus does not hold."""


class People:
    """Everyone's cookies during a case."""

    def __init__(self, sessions: Mapping[str, Mapping[str, str]]) -> None:
        self._cookies = {actor: dict(cookies) for actor, cookies in sessions.items()}

    def of(self, actor: str) -> dict[str, str]:
        """A person's cookies, to be read and changed."""
        return self._cookies.setdefault(actor, {})

    def keep(self, actor: str, answer: Answer) -> None:
        """Remember what an answer set."""
        cookies = self.of(actor)
        for name, line in answer.headers:
            if name.lower() != "set-cookie":
                continue
            pair, *attributes = line.split(";")
            cookie, _, value = pair.strip().partition("=")
            lowered = "".join(attributes).replace(" ", "").lower()
            if not value or "max-age=0" in lowered or "expires=thu,01jan1970" in lowered.replace("-", ""):
                cookies.pop(cookie, None)
            else:
                cookies[cookie] = value


class Sender:
    """One connection to the server under test."""

    def __init__(self, server: Address, connection: Connection, stored: Mapping[str, bytes]) -> None:
        """`stored`: contents of files by their SHA-256."""
        self._server = server
        self._connection = connection
        self._stored = stored

    async def send(self, actor: str, request: WriteRequest, people: People) -> tuple[Answer, float]:
        """The answer and the seconds it took. Raises `ConnectionFailedError` and `MissingFileError`."""
        timed = await self._connection.ask(
            message(request, self._server.authority, people.of(actor), self._stored)
        )
        people.keep(actor, timed.answer)
        return timed.answer, timed.seconds


def message(request: WriteRequest, host: str, cookies: dict[str, str], stored: Mapping[str, bytes]) -> bytes:
    """The bytes of a request. Raises `MissingFileError`."""
    headers = {"Host": host, "Accept": DEFAULT_ACCEPT, **request.headers}
    if request.method not in _SAFE:
        headers[CSRF_HEADER] = cookies.setdefault(CSRF_COOKIE, _TOKEN)
    if cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    content = body(request, stored)
    if content or request.method not in _SAFE:
        headers["Content-Length"] = str(len(content))
    head = [f"{request.method} {request.path} HTTP/1.1"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + content


def body(request: WriteRequest, stored: Mapping[str, bytes]) -> bytes:
    """What is sent after the head. Raises `MissingFileError`."""
    if request.body:
        return bytes(request.body)
    if request.raw is not None:
        return request.raw.encode()
    if request.files:
        return _multipart(request, stored)
    return urlencode(request.form, doseq=True).encode() if request.form else b""


def _multipart(request: WriteRequest, stored: Mapping[str, bytes]) -> bytes:
    boundary = request.header("content-type").partition("boundary=")[2].strip('"').encode()
    parts: list[bytes] = []
    for name, value in (request.form or {}).items():
        parts += [b"--" + boundary, f'Content-Disposition: form-data; name="{name}"'.encode(), b""]
        parts.append(str(value).encode())
    for name, file in request.files.items():
        if file.sha256 not in stored:
            raise MissingFileError(
                f"the content of {file.filename} ({file.sha256[:12]}…) is not in the corpus"
            )
        disposition = f'Content-Disposition: form-data; name="{name}"; filename="{file.filename}"'
        parts += [b"--" + boundary, disposition.encode(), f"Content-Type: {file.type}".encode(), b""]
        parts.append(stored[file.sha256])
    return b"\r\n".join([*parts, b"--" + boundary + b"--", b""])
