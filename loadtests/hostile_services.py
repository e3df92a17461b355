# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hostile requests to the services: cookies, Marshal, JSON, forms, parameters, headers. None may be answered 500.

    python -m loadtests.hostile_services --url http://127.0.0.1:8090 --secret "$SECRET_KEY_BASE" --requests 100000

What it sends comes from a seed alone, so a finding is repeated by its number. An answer is judged by three
things: there is one, or the connection is closed; it is no server error other than 503; and it is there within
ten seconds. With a secret, sessions are sealed properly around hostile contents, as somebody with a stolen key
would. Part of it runs in `make test`.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import random
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

PATHS = (
    "/api/v1/boot/version",
    "/api/v1/boot/site",
    "/api/v1/groups/count_explore_results",
    "/api/v1/groups/suggest_handle",
    "/api/v1/reactions",
    "/api/v1/versions",
    "/api/v1/profile/me",
    "/api/v1/profile/email_status",
    "/api/v1/sessions",
    "/api/v1/login_tokens",
    "/oauth/oauth",
    "/oauth/authorize",
    "/oauth",
    "/saml/oauth",
    "/saml/metadata",
    "/",
)
NAMES = (
    *(
        "comment_ids",
        "discussion_ids",
        "poll_ids",
        "group_id",
        "discussion_id",
        "poll_id",
        "index",
        "q",
        "name",
    ),
    *(
        "version",
        "release",
        "locale",
        "exclude_types",
        "email",
        "xids",
        "from",
        "per",
        "membership_token",
        "user",
        "code",
        "error",
        "back_to",
        "SAMLResponse",
    ),
)
HEADERS = (
    *("Accept", "Accept-Encoding", "Accept-Language", "If-None-Match"),
    *("X-Forwarded-For", "X-CSRF-Token", "X-Request-Id", "Authorization", "Referer"),
)
SECONDS = 10.0
SERVER_ERROR, UNAVAILABLE = 500, 503
_ODD = (
    "",
    "0",
    "-1",
    "9" * 400,
    "1x2x3",
    "1" + "x1" * 5000,
    "\0",
    "%00",
    "%",
    "%zz",
    "\ud7ff",
    "null",
    "[]",
    "{}",
)
_ODDER = (
    "'; --",
    "*" * 3000,
    "\N{RIGHT-TO-LEFT OVERRIDE}",
    "<script>",
    "1e999",
    "NaN",
    "../../x",
    "a" * 9000,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A request that was answered as none may be."""

    number: int
    what: str
    request: bytes


class Sender:
    """Makes the requests of one seed."""

    def __init__(self, seed: int, secret: str | None) -> None:
        """`secret` seals sessions; without one all cookies are broken."""
        self._random = random.Random(seed)
        self._key = None
        if secret is not None:
            kdf = PBKDF2HMAC(SHA1(), 32, b"authenticated encrypted cookie", 1000)
            self._key = AESGCM(kdf.derive(secret.encode()))

    def requests(self, number: int) -> Iterator[bytes]:
        """As many requests, as bytes on the wire."""
        for _ in range(number):
            yield self._request()

    def _request(self) -> bytes:
        draw = self._random
        method = draw.choice(("GET", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))
        path = draw.choice(PATHS) + draw.choice(("", "", "/", "/7", ".json", "/%00", "//", "/..%2f"))
        query = "&".join(self._pair() for _ in range(draw.choice((0, 1, 1, 2, 5, 40))))
        headers = [("Host", "x"), ("Connection", "close"), *self._headers()]
        body = b""
        if method in ("POST", "PUT", "PATCH", "DELETE"):
            kind, body = draw.choice(self._bodies())()
            headers += [("Content-Type", kind), ("Content-Length", str(len(body)))]
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        target = f"{path}?{query}" if query else path
        return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("utf-8", "surrogatepass") + body

    def _value(self) -> str:
        draw = self._random
        if draw.random() < 0.6:
            return draw.choice((*_ODD, *_ODDER))
        return "".join(
            chr(draw.choice((draw.randrange(32, 127), draw.randrange(160, 0xD7FF)))) for _ in range(8)
        )

    def _pair(self) -> str:
        draw = self._random
        name = draw.choice(NAMES) + draw.choice(("", "", "", "[]", "[a]", "[" * 60, "[x]" * 60, "[a][]b"))
        value = self._value()
        # Sometimes as it is: broken escapes and bytes that are no UTF-8.
        raw = draw.random() < 0.2
        told = (
            value.replace(" ", "+").replace("\0", "%00")
            if raw and value.isascii()
            else urllib.parse.quote(value)
        )
        return name if draw.random() < 0.1 else f"{name}={told}"

    def _headers(self) -> Iterator[tuple[str, str]]:
        draw = self._random
        plain = (*_ODD[:4], *_ODDER[:4], "a, b;q=x", "gzip;q=nan, *;q=-1", 'W/"x', "xx" * 900)
        for name in draw.sample(HEADERS, draw.randrange(4)):
            yield name, draw.choice([text for text in plain if text.isascii() and "\0" not in text])
        if draw.random() < 0.6:
            yield "Cookie", self._cookies()

    def _cookies(self) -> str:
        draw = self._random
        name = draw.choice(("_loomio", "remember_user_token", "csrftoken", "_loomio"))
        kinds: list[Callable[[], str]] = [self._broken_cookie, self._sealed_cookie, self._sealed_cookie]
        return f"{name}={draw.choice(kinds)()}"

    def _broken_cookie(self) -> str:
        draw = self._random
        parts = [
            base64.b64encode(draw.randbytes(draw.choice((0, 1, 12, 16, 40, 3000)))).decode() for _ in range(3)
        ]
        return urllib.parse.quote("--".join(parts[: draw.randrange(1, 4)]), safe="")

    def _sealed_cookie(self) -> str:
        if self._key is None:
            return self._broken_cookie()
        nonce = self._random.randbytes(12)
        sealed = self._key.encrypt(nonce, self._marshal(), b"")
        parts = (sealed[:-16], nonce, sealed[-16:])
        return urllib.parse.quote("--".join(base64.b64encode(part).decode() for part in parts), safe="")

    def _marshal(self) -> bytes:
        """A session, with its bytes in disorder; or one that is deep, circular or of foreign classes."""
        draw = self._random
        good = (
            b'\x04\x08{\x07I"\x0fsession_id\x06:\x06ETI"\x09abcd\x06;\x00T'
            b'I"\x19warden.user.user.key\x06;\x00T[\x07[\x06i\x06I"\x07x\x06;\x00T'
        )
        kind = draw.randrange(6)
        if kind == 0:
            return b"\x04\x08" + b"[\x06" * draw.choice((10, 500, 1000)) + b"0"
        if kind == 1:
            return b"\x04\x08" + draw.choice(
                (b"[\x06@\x00", b"{\x06@\x00@\x00", b"o:\x08Foo\x06:\x06@xi\x06", b"[\x04\xff\xff\xff\x7f")
            )
        if kind == 2:
            return draw.randbytes(draw.randrange(60))
        if kind == 3:
            user = (
                b"[\x07[\x06"
                + draw.choice((b"l+\x0d" + b"\xff" * 16, b"i\x04\xff\xff\xff\x7f", b"0", b"T", b'"\x06x'))
                + b'"\x00'
            )
            return b'\x04\x08{\x06I"\x19warden.user.user.key\x06:\x06ET' + user
        broken = bytearray(good)
        for _ in range(draw.randrange(1, 4)):
            broken[draw.randrange(2, len(broken))] = draw.randrange(256)
        return bytes(broken)

    def _bodies(self) -> list[Callable[[], tuple[str, bytes]]]:
        draw = self._random
        return [
            lambda: ("application/json", b"[" * draw.choice((5, 500, 50_000)) + b"]" * draw.choice((5, 500))),
            lambda: ("application/json", b'{"user":' * draw.choice((5, 2000)) + b"1"),
            lambda: ("application/json", json.dumps({draw.choice(NAMES): self._json(4)}).encode()),
            lambda: ("application/json", json.dumps({"user": self._json(3), "a" * 2000: 1}).encode()),
            lambda: ("application/json", b'{"user":{"email":"' + b"a" * draw.choice((10, 600_000)) + b'"}}'),
            lambda: ("application/json", draw.randbytes(40)),
            lambda: ("application/json", b'{"user":{"email":"\\ud800","password":"\\u0000"}}'),
            lambda: ("application/json", b'{"user":{"email":1' + b"0" * 5000 + b"}}"),
            lambda: ("application/x-www-form-urlencoded", "&".join(self._pair() for _ in range(30)).encode()),
            lambda: ("application/x-www-form-urlencoded", b"user" + b"[a]" * 3000 + b"=1"),
            lambda: ("multipart/form-data; boundary=x", b"--x\r\n" * 50),
            lambda: ("text/" + "x" * 200, b"\xff\xfe"),
        ]

    def _json(self, depth: int) -> object:
        draw = self._random
        if depth == 0 or draw.random() < 0.3:
            return draw.choice((None, True, 1.5, -(2**70), "", "x" * 300, 10**30, "\N{PILE OF POO}", []))
        if draw.random() < 0.5:
            return [self._json(depth - 1) for _ in range(3)]
        return {draw.choice((*NAMES, "password", "id", "")): self._json(depth - 1) for _ in range(3)}


async def attack(host: str, port: int, sender: Sender, number: int, at_once: int = 8) -> list[Finding]:
    """Send as many requests and judge the answers."""
    findings: list[Finding] = []
    queue = iter(enumerate(sender.requests(number)))

    async def one_after_the_other() -> None:
        for index, request in queue:
            if (what := await _ask(host, port, request)) is not None:
                findings.append(Finding(index, what, request))

    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
    return findings


async def _ask(host: str, port: int, request: bytes) -> str | None:
    """What is wrong with the answer."""
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(request)
                answer = await reader.read()
            finally:
                writer.close()
    except TimeoutError:
        return "no answer in time"
    except (ConnectionResetError, BrokenPipeError):
        return None  # refused before it was read
    status = int(answer[9:12]) if answer[9:12].isdigit() else 0
    if answer and status == 0:
        return "an answer that is no HTTP"
    if status >= SERVER_ERROR and status != UNAVAILABLE:
        return f"status {status}"
    return None


def main() -> None:
    """Attack what the command line names."""
    parser = argparse.ArgumentParser(
        description="Hostile requests to running services; exit code 1 on findings."
    )
    parser.add_argument("--url", required=True, help="where they listen, http://host:port")
    parser.add_argument("--secret", help="their SECRET_KEY_BASE, to seal hostile sessions")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    place = urllib.parse.urlsplit(asked.url)
    sender = Sender(asked.seed, asked.secret)
    findings = asyncio.run(attack(place.hostname or "127.0.0.1", place.port or 80, sender, asked.requests))
    for finding in findings[:20]:
        digest = hashlib.sha256(finding.request).hexdigest()[:8]
        sys.stderr.write(f"request {finding.number} ({digest}): {finding.what}: {finding.request[:200]!r}\n")
    sys.stdout.write(f"{asked.requests} requests of seed {asked.seed}, {len(findings)} findings\n")
    raise SystemExit(1 if findings else 0)


if __name__ == "__main__":
    main()
