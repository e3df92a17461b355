# SPDX-License-Identifier: AGPL-3.0-or-later
"""The PROXY protocol, versions 1 and 2: a load balancer that passes on TCP says first for whom.

Source: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt. As it demands, nobody guesses whether the header is
there: with `proxy_protocol: true` every connection of a trusted proxy begins with one, and no other does.
"""

from __future__ import annotations

import asyncio
import re
import struct
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from proxy.dataplane.client import ClientConnection
from proxy.dataplane.forwarded import is_trusted
from proxy.dataplane.timers import NEVER
from proxy.model import Malformed

if TYPE_CHECKING:
    from proxy.dataplane.edge import Edge

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED: Final = struct.Struct("!12sBBH")  # signature, version and command, family and protocol, length
_LONGEST_LINE: Final = 107  # of version 1, with its CRLF
_LONGEST: Final = 4096  # of version 2: 216 bytes of addresses and its TLVs
_LINE: Final = re.compile(
    rb"PROXY (?:UNKNOWN(?: [^\r\n]*)?|(TCP[46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) ([0-9]{1,5}) ([0-9]{1,5}))\r\n\Z"
)
_ADDRESS_BYTES: Final = {0x11: 4, 0x21: 16}  # TCP over IPv4, over IPv6
_PORTS_BYTES: Final = 4
_TLV: Final = struct.Struct("!BH")
_TLV_SSL: Final = 0x20
_CAME_BY_TLS: Final = 0x01


class Introduced(NamedTuple):
    """What a header says. `address` is empty where it names none (the balancer's own checks); `size`: its bytes."""

    address: str
    secure: bool
    size: int


def read_header(data: bytes) -> Introduced | None:
    """The header at the start of `data`; None while it is not complete. Raises Malformed."""
    if data[:1] == b"\r":
        return _version_2(data)
    end = data.find(b"\r\n", 0, _LONGEST_LINE)
    if end < 0:
        if len(data) >= _LONGEST_LINE or not b"PROXY ".startswith(data[:6]):
            raise Malformed("proxy-protocol", "the connection does not begin with a PROXY header")
        return None
    line = _LINE.match(data[: end + 2])
    if line is None or (line[1] and max(int(line[4]), int(line[5])) > 65535):
        raise Malformed("proxy-protocol", "the PROXY header is malformed")
    if not line[1]:
        return Introduced("", False, end + 2)
    version = 4 if line[1] == b"TCP4" else 6
    source, _ = _address(line[2], version), _address(line[3], version)
    return Introduced(source, False, end + 2)


def _address(text: bytes, version: int) -> str:
    try:
        address = ip_address(text.decode())
    except ValueError:
        address = None
    if address is None or address.version != version:
        raise Malformed("proxy-protocol", "the PROXY header has a malformed address")
    return str(address)


def _version_2(data: bytes) -> Introduced | None:
    if not _SIGNATURE.startswith(data[: len(_SIGNATURE)]):
        raise Malformed("proxy-protocol", "the connection does not begin with a PROXY header")
    if len(data) < _FIXED.size:
        return None
    _, command, family, length = _FIXED.unpack_from(data)
    if command not in (0x20, 0x21) or length > _LONGEST:
        raise Malformed("proxy-protocol", "the PROXY header is malformed")
    size = _FIXED.size + length
    if len(data) < size:
        return None
    address_bytes = _ADDRESS_BYTES.get(family, 0)
    if command == 0x20 or not address_bytes:  # the balancer's own, or no TCP over IP
        return Introduced("", False, size)
    tlvs = _FIXED.size + 2 * address_bytes + _PORTS_BYTES
    if tlvs > size:
        raise Malformed("proxy-protocol", "the PROXY header is too short for its addresses")
    address = ip_address(data[_FIXED.size : _FIXED.size + address_bytes])
    return Introduced(str(address), _came_by_tls(data[tlvs:size]), size)


def _came_by_tls(tlvs: bytes) -> bool:
    at = 0
    while at + _TLV.size <= len(tlvs):
        kind, length = _TLV.unpack_from(tlvs, at)
        at += _TLV.size
        if at + length > len(tlvs):
            break
        if kind == _TLV_SSL and length:
            return bool(tlvs[at] & _CAME_BY_TLS)
        at += length
    return False


class Introduction(asyncio.Protocol):
    """Reads the header, then lets a `ClientConnection` go on. Who is no trusted proxy needs no introduction."""

    __slots__ = ("_edge", "_held", "_transport", "deadline", "slot")

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._held = b""
        self._transport: asyncio.Transport = _NOT_CONNECTED
        self.deadline = NEVER
        self.slot = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: somebody connected."""
        self._transport = cast("asyncio.Transport", transport)
        peername = transport.get_extra_info("peername")
        peer = peername[0] if isinstance(peername, tuple) else ""
        edge = self._edge
        edge.connections.add(self)
        if is_trusted(peer, edge.table.trusted_proxies):
            edge.wheel.watch(self, edge.now() + edge.limits.head_time)
        else:
            self._go_on(Introduced("", False, 0))

    def data_received(self, data: bytes) -> None:
        """asyncio: a piece of the header, and perhaps of a request."""
        self._held += data
        try:
            header = read_header(self._held)
        except Malformed as broken:
            self._edge.dropped(broken.code)
            self._transport.abort()
            return
        if header is not None:
            self._go_on(header)

    def _go_on(self, header: Introduced) -> None:
        edge = self._edge
        edge.wheel.forget(self)
        client = ClientConnection(edge)
        self._transport.set_protocol(cast("asyncio.Protocol", client))
        client.introduced(self._transport, header.address, header.secure)
        edge.left(self)
        if len(self._held) > header.size:
            client.data_received(self._held[header.size :])

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: it ended without a word."""
        self._edge.wheel.forget(self)
        self._edge.left(self)

    def on_deadline(self, now: float) -> None:
        """The wheel: no header in time."""
        self._edge.dropped("proxy-protocol")
        self._transport.abort()

    def close_idle(self) -> None:
        """Draining: nothing is under way."""
        self._transport.abort()

    def abort(self) -> None:
        """Draining took too long."""
        self._transport.abort()


_NOT_CONNECTED: Final = asyncio.Transport()
