# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server under test: where it is, and how requests get there."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

import msgspec

from contracts.client import Connection

_PORTS = {"http": 80, "https": 443}


class AddressError(ValueError):
    """Not the address of a server; the message says what is."""


class Address(msgspec.Struct, frozen=True):
    """Scheme, host and port of a base URL."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Address:
        """Reads `http://HOST[:PORT]`. Raises `AddressError`."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise AddressError(f"{url}: {error}; write http://HOST:PORT") from None
        if parts.scheme not in _PORTS or not parts.hostname:
            raise AddressError(f"{url}: no address of a server; write http://HOST:PORT or https://HOST")
        if parts.path not in ("", "/") or parts.query or parts.username:
            raise AddressError(
                f"{url}: only scheme, host and port belong here; requests bring their own paths"
            )
        return cls(parts.scheme, parts.hostname, port or _PORTS[parts.scheme])

    @property
    def authority(self) -> str:
        """What goes into the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def connection(self, timeout: float) -> Connection:
        """A connection that is made when it is needed; `timeout` in seconds is for each answer."""
        context = ssl.create_default_context() if self.scheme == "https" else None
        return Connection(self.host, self.port, timeout=timeout, tls=context)

    def __str__(self) -> str:
        """The base URL."""
        return f"{self.scheme}://{self.authority}"
