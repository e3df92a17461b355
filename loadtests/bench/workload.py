# SPDX-License-Identifier: AGPL-3.0-or-later
"""The requests: what browsers ask of Loomio, as often as they do, with sessions as Rails writes them.

Paths are drawn from the project's own recordings by the frequencies of recorded journeys. Each head has the 11 headers
of a browser's request; its `_loomio` cookie is encrypted with a secret that the edge knows too. A new cookie is in
every request, or in every `uses`-th, and so many differ that the edge's memory of 10,000 sessions has always forgotten
one before it comes again.

The origin answers 17 headers, Rails' size, with changing cookies, and a body of the size that the query asks for
(`size=2k`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

import yaml

from contracts.corpus import Corpus
from contracts.traffic import Mix, recorded_requests
from railscompat.cookies import NONCE_BYTES, EncryptedCookies
from railscompat.marshal import Value
from railscompat.session import SESSION_COOKIE, USER_KEY

SECRET: Final = "banyan-bench-" * 8
"""The `SECRET_KEY_BASE` of the benchmark."""

SIZES: Final = {"2k": 2_000, "35k": 35_000}
"""Bodies by the name that requests ask for them by."""

BLOCK: Final = bytes(Random(1).randbytes(64 * 1024))
"""What large bodies repeat."""
LARGE: Final = 1600 * len(BLOCK)
"""Length of a large body: 100 MB."""

HOST: Final = "loomio.example"
_DISTINCT_COOKIES: Final = 12_500  # more than the 10,000 sessions that an edge remembers
_SHIPPED: Final = Path(__file__).parents[2]
_CSRF: Final = "bo7c1DvWzq0cGUoKtuCbk2rGVmhXPlqCNlLQSmIhr3QOYjvTVJcQ3mHM1xVwGQ5F6oOyZyLJ0vAOXJ4Ahb0iVw"
_USER_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def body(size: str) -> bytes:
    """The JSON body of one of `SIZES`, always the same."""
    random = Random(2)
    words = [random.randbytes(random.randint(1, 6)).hex() for _ in range(SIZES[size] // 4)]
    filler = " ".join(words)
    empty = len(json.dumps({"discussions": [{"description": ""}]}))
    return json.dumps({"discussions": [{"description": filler[: SIZES[size] - empty]}]}).encode()


def session_cookies(random: Random, count: int = _DISTINCT_COOKIES) -> Iterator[str]:
    """So many values of `_loomio`, each another person's."""
    jar = EncryptedCookies(SECRET)
    for user in range(1, count + 1):
        session: dict[Value, Value] = {
            "session_id": random.randbytes(16).hex(),
            USER_KEY: [[user], "$2a$11$" + random.randbytes(11).hex()],
            "_csrf_token": random.randbytes(32).hex(),
        }
        yield jar.encrypt(SESSION_COOKIE, session, nonce=random.randbytes(NONCE_BYTES))


def recorded_paths(random: Random) -> Iterator[str]:
    """Paths with queries, as often as they are asked, without end."""
    corpus = Corpus.open()
    mix = Mix(recorded_requests(corpus), list(corpus.journeys()))
    actors = mix.actors
    while True:
        yield mix.draw(random.choice(actors), random).target


def request(target: str, cookie: str, *more: str, method: str = "GET") -> bytes:
    """A head as a browser sends it; `more` are further lines."""
    lines = (
        f"{method} {target} HTTP/1.1",
        f"Host: {HOST}",
        f"User-Agent: {_USER_AGENT}",
        "Accept: application/json, text/plain, */*",
        "Accept-Language: en-GB,en;q=0.8,de;q=0.5",
        "Accept-Encoding: gzip, deflate, br, zstd",
        f"Referer: https://{HOST}/dashboard",
        f"X-CSRF-Token: {_CSRF}",
        f"Cookie: csrftoken={_CSRF}; signed_in=1; {SESSION_COOKIE}={cookie}",
        "Sec-Fetch-Dest: empty",
        "Sec-Fetch-Mode: cors",
        "Sec-Fetch-Site: same-origin",
        *more,
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def sized(target: str, size: str) -> str:
    """`target` with the wish for a body of `size` in its query."""
    return f"{target}{'&' if '?' in target else '?'}size={size}"


def requests(size: str, *, uses: int = 1) -> list[bytes]:
    """Heads in the order of sending: every cookie in `uses` of them, one after the other."""
    random = Random(3)
    paths = recorded_paths(random)
    return [
        request(sized(next(paths), size), cookie) for cookie in session_cookies(random) for _ in range(uses)
    ]


def write_routing(folder: Path) -> Path:
    """The shipped routing file, with every group of reads at 50 %, a limit for whole exchanges, as many idle
    connections as other proxies are allowed, and no ramp running; beside it the shipped catalogue."""
    shutil.copy(_SHIPPED / "routes.yaml", folder / "routes.yaml")
    routing = yaml.safe_load((_SHIPPED / "routing.yaml").read_text("utf-8"))
    for backend in routing["backends"].values():
        backend.setdefault("timeouts", {})["total"] = "5m"
        backend.setdefault("pool", {})["max_idle"] = 128
    for group in routing["groups"].values():
        if "shadow" in group:  # what may be asked twice is a read
            group["percent"] = 50
            group.pop("ramp", None)
    file = folder / "routing.yaml"
    file.write_text(yaml.safe_dump(routing, sort_keys=False), "utf-8")
    return file


def head_of_answer(length: int, content_type: str, number: int, cookie: str) -> bytes:
    """An answer's head as Rails writes it behind a web server: 17 headers; `number` makes it differ from others."""
    mark = f"{number:032x}"
    lines = (
        "HTTP/1.1 200 OK",
        "Server: nginx",
        "Date: Mon, 01 Jun 2026 12:00:00 GMT",
        f"Content-Type: {content_type}",
        f"Content-Length: {length}",
        "Connection: keep-alive",
        "X-Frame-Options: SAMEORIGIN",
        "X-XSS-Protection: 1; mode=block",
        "X-Content-Type-Options: nosniff",
        "X-Download-Options: noopen",
        "X-Permitted-Cross-Domain-Policies: none",
        "Referrer-Policy: strict-origin-when-cross-origin",
        f'ETag: W/"{mark}"',
        "Cache-Control: max-age=0, private, must-revalidate",
        f"Set-Cookie: csrftoken={mark}{mark}; path=/",
        f"Set-Cookie: {SESSION_COOKIE}={cookie[:-32]}{mark}; path=/; httponly",
        f"X-Request-Id: {mark}",
        "X-Runtime: 0.018465",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()
