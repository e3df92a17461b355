# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who the client is, and how the backend is told: X-Forwarded-*, Forwarded.

What a client says of itself is believed only when it comes from a trusted proxy (`trusted_proxies`). Wrong trust
means redirect loops (the backend believes http), or one rate-limit bucket for the whole world.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

Networks = Sequence[IPv4Network | IPv6Network]

# Said by a trusted proxy and passed on as it stands; from anybody else dropped.
_PASSED_ON = (
    b"x-forwarded-port",
    b"x-forwarded-ssl",
    b"x-forwarded-scheme",
    b"x-real-ip",
    b"client-ip",
    b"x-client-ip",
)


def is_trusted(address: str, networks: Networks) -> bool:
    """Whether `address` (text) lies in one of `networks`. What is no address is not trusted."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any(parsed in network or (mapped is not None and mapped in network) for network in networks)


def who_counts(address: str) -> str:
    """What counts as one peer: an IPv4 address; a /64 of IPv6, which is what one subscriber has at least."""
    if ":" not in address:
        return address
    parsed = ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or ip_network((parsed, 64), strict=False))


def client_address(peer: str, forwarding: Mapping[bytes, bytes], networks: Networks) -> str:
    """The nearest address that no trusted proxy owns, as the trusted `peer` says in X-Forwarded-For, read from the
    right; else the peer."""
    address = peer
    said = forwarding.get(b"x-forwarded-for", b"").decode("latin-1").replace(" ", "")
    for hop in reversed([hop for hop in said.split(",") if hop]):
        try:
            ip_address(hop)
        except ValueError:
            break
        address = hop
        if not is_trusted(hop, networks):
            break
    return address


def forwarding_lines(
    peer: str, trusted: bool, scheme: bytes, host: bytes, forwarding: Mapping[bytes, bytes]
) -> bytes:
    """The header lines that tell the backend of the client: `peer` is the address of the connection,
    `scheme` what it came by (http, https), `host` the request's host, `forwarding` what the request said itself.
    """
    address = peer.encode("latin-1", "replace")
    proto = scheme
    named = host
    chain = b"for=%b;host=%b;proto=%b" % (_node(address), _quoted(host), scheme)
    more = b""
    if trusted:
        said = forwarding.get
        if before := said(b"x-forwarded-for"):
            address = before + b", " + address
        proto = said(b"x-forwarded-proto") or scheme
        named = said(b"x-forwarded-host") or host
        if before := said(b"forwarded"):
            chain = before + b", " + chain
        for name in _PASSED_ON:
            value = said(name)
            if value is not None:
                more += name.title() + b": " + value + b"\r\n"
    return b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\nForwarded: %b\r\n%b" % (
        address,
        proto,
        named,
        chain,
        more,
    )


def _node(address: bytes) -> bytes:
    return b'"[' + address + b']"' if b":" in address else address or b"unknown"


def _quoted(host: bytes) -> bytes:
    return host if host.replace(b".", b"").replace(b"-", b"").isalnum() else b'"' + host + b'"'
