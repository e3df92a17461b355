# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where a request comes from, as Rails' RemoteIp finds it, so that both sides count the same.

The chain is `X-Forwarded-For` and the connection's own end; read from its end, the first address that no
proxy owns is the client's. Loopback and private networks are proxies, as in Rails; so whoever connects from
elsewhere can't say that it is somebody else. Where every address is a proxy's, it is the first that was named.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import NamedTuple

_PROXIES = tuple(
    ipaddress.ip_network(text)
    for text in (
        "127.0.0.0/8", "::1/128", "fc00::/7", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
        "169.254.0.0/16", "fe80::/10",
    )
)  # fmt: skip
UNKNOWN = "0.0.0.0"  # noqa: S104 (an address that is not known, not one to listen on)
_MOST_HOPS = 30
_LONGEST = 80
"""Letters of an address with its zone and blanks, at most; what is remembered stays small."""


def client_address(peer: str | None, forwarded_for: str | None) -> str:
    """The client's address. `peer` is the other end of the connection, `forwarded_for` the header's value."""
    end = _hop(peer or "")
    if end is None:
        return UNKNOWN
    if not end.is_proxy:
        return end.address
    named = [_hop(text) for text in (forwarded_for or "").split(",")[-_MOST_HOPS:]]
    hops = [hop for hop in named if hop is not None]
    for hop in reversed(hops):
        if not hop.is_proxy:
            return hop.address
    return (hops[0] if hops else end).address


class _Hop(NamedTuple):
    """An address on the way, in its usual spelling."""

    address: str
    is_proxy: bool


def _hop(text: str) -> _Hop | None:
    return _read(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _read(text: str) -> _Hop | None:
    try:
        found = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    address = getattr(found, "ipv4_mapped", None) or found
    return _Hop(str(address), any(address in network for network in _PROXIES))
