# SPDX-License-Identifier: AGPL-3.0-or-later
"""Other servers, asked by this one: HTTP as a parameter.

One client per process, which handlers find in their context. Every question has the same limits:

    * so many seconds in all, redirects included, and so many bytes of an answer;
    * hosts that the operator's settings name may be anywhere. Any other host must have a public address, where a
      redirect leads as well: nobody outside decides what is asked within the operator's network. Names are judged
      by the addresses that the connection is then made to, so that they can't change in between;
    * redirects are followed only where something was read, a few times, and credentials do not go along to
      another origin.

Whatever goes wrong is one error, `ElsewhereError`. Cookies are neither kept nor sent, and the environment's
proxies are not used. Bodies are compressed where the other side does that; the limit is for what comes of it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from services.kernel.errors import ElsewhereError

SECONDS = 10.0
"""How long a question may take."""
LARGEST = 1 << 20
"""Bytes of an answer."""
REDIRECTS = 3
AT_ONCE = 20
"""Connections of one process to other servers."""

_CHUNK = 64 * 1024
_NUMBER = re.compile(r"[0-9]*|0x[0-9a-f]*")
_ELSEWHERE = frozenset(
    (
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.SEE_OTHER,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    )
)


@dataclass(frozen=True, slots=True)
class Answered:
    """What another server said."""

    status: int
    body: bytes = field(repr=False)

    def document(self) -> dict[str, Any]:
        """The JSON object that it is; empty where it is anything else."""
        try:
            value = msgspec.json.decode(self.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


class Outbound:
    """The client of one process."""

    def __init__(
        self, client: aiohttp.ClientSession, trusted: frozenset[str], *, seconds: float, largest: int
    ) -> None:
        """Use `open`."""
        self._client = client
        self._trusted = trusted
        self._seconds = seconds
        self._largest = largest

    @classmethod
    @asynccontextmanager
    async def open(
        cls, trusted: frozenset[str] = frozenset(), *, seconds: float = SECONDS, largest: int = LARGEST
    ) -> AsyncIterator[Outbound]:
        """A client that closes at the end. `trusted` are hosts that may have private addresses, in lower case."""
        resolver = _PublicResolver(aiohttp.ThreadedResolver(), trusted)
        client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=resolver, limit=AT_ONCE),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"User-Agent": "Banyan", "Accept": "application/json, */*;q=0.5"},
        )
        try:
            yield cls(client, trusted, seconds=seconds, largest=largest)
        finally:
            await client.close()

    async def get(self, url: str, *, bearer: str | None = None) -> Answered:
        """Read something; `bearer` is the token that allows it. Raises `ElsewhereError`."""
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        return await self._in_time("GET", url, headers, None)

    async def post(self, url: str, form: Mapping[str, str]) -> Answered:
        """Send a form. Raises `ElsewhereError`."""
        return await self._in_time("POST", url, {}, form)

    async def _in_time(
        self, method: str, url: str, headers: dict[str, str], form: Mapping[str, str] | None
    ) -> Answered:
        try:
            where = URL(url)
            async with asyncio.timeout(self._seconds):
                for _ in range(1 + REDIRECTS):
                    self._check(where)
                    answered = await self._ask(method, where, headers, form)
                    if isinstance(answered, Answered):
                        return answered
                    if answered.origin() != where.origin():
                        headers = {}
                    where = answered
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            # A URL may carry what is secret; the kind of error tells enough.
            raise ElsewhereError(type(error).__name__) from error
        raise ElsewhereError("too many redirects")

    async def _ask(
        self, method: str, url: URL, headers: dict[str, str], form: Mapping[str, str] | None
    ) -> Answered | URL:
        """One question: what was said, or where else to read."""
        async with self._client.request(
            method, url, headers=headers, data=form, allow_redirects=False
        ) as answer:
            target = answer.headers.get("Location")
            if method == "GET" and target is not None and answer.status in _ELSEWHERE:
                return url.join(URL(target))
            body = bytearray()
            async for chunk in answer.content.iter_chunked(_CHUNK):
                body += chunk
                if len(body) > self._largest:
                    raise ElsewhereError("too much was said")
            return Answered(answer.status, bytes(body))

    def _check(self, url: URL) -> None:
        """Raises `ElsewhereError` for what is no web address, and for a private address that nobody named."""
        host = (url.host or "").lower()
        if url.scheme not in ("http", "https") or not host:
            raise ElsewhereError("no web address")
        # Numbers are not resolved, so the resolver does not see them.
        if host not in self._trusted and _is_number(host) and not is_public(host):
            raise ElsewhereError("a private address")


class _PublicResolver(AbstractResolver):
    """Finds public addresses alone, but for hosts that are trusted."""

    def __init__(self, inner: AbstractResolver, trusted: frozenset[str]) -> None:
        self._inner = inner
        self._trusted = trusted

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host. Raises `OSError` where there are none that may be asked."""
        found = await self._inner.resolve(host, port, family)
        if host.lower() not in self._trusted:
            found = [one for one in found if is_public(one["host"])]
        if not found:
            raise OSError("no public address")
        return found

    async def close(self) -> None:
        """End what resolves."""
        await self._inner.close()


def is_public(address: str) -> bool:
    """Whether this is the number of one machine in the whole internet, in its usual spelling."""
    try:
        number = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(number, ipaddress.IPv6Address) and number.ipv4_mapped is not None:
        number = number.ipv4_mapped
    return number.is_global and not number.is_multicast


def _is_number(host: str) -> bool:
    """Whether a host is no name, however the number is spelled (`127.1`, `0x7f000001`)."""
    last = host.rpartition(".")[2]
    return ":" in host or _NUMBER.fullmatch(last) is not None


def hosts_of(*urls: str | None) -> frozenset[str]:
    """The hosts of what settings name."""
    found: set[str] = set()
    for url in urls:
        try:
            host = URL(url or "").host
        except ValueError:
            continue
        if host:
            found.add(host.lower())
    return frozenset(found)
