# SPDX-License-Identifier: AGPL-3.0-or-later
"""The PROXY header, as the specification writes it, and as it must not be."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dataplane.proxyprotocol import Introduced, read_header
from proxy.model import Malformed

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def version_2(address: str, *, command: int = 0x21, tlvs: bytes = b"") -> bytes:
    packed = ip_address(address).packed
    family = 0x11 if len(packed) == 4 else 0x21
    body = packed + packed + struct.pack("!HH", 4711, 80) + tlvs
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n", "203.0.113.7"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 1 65535\r\n", "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", ""),
        (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", ""),
        (version_2("203.0.113.7"), "203.0.113.7"),
        (version_2("2001:db8::7", tlvs=b"\x01\x00\x02h2"), "2001:db8::7"),
        (version_2("203.0.113.7", command=0x20), ""),
        (SIGNATURE + b"\x21\x31\x00\x03abc", ""),  # a unix socket
    ],
)
def test_what_a_header_says(header: bytes, address: str) -> None:
    assert read_header(header + b"GET / HTTP/1.1\r\n") == Introduced(address, False, len(header))
    for cut in range(len(header)):
        assert read_header(header[:cut]) is None


def test_a_client_that_came_by_tls() -> None:
    tlv = b"\x20\x00\x05\x01\x00\x00\x00\x00"
    assert read_header(version_2("203.0.113.7", tlvs=b"\x04\x00\x01x" + tlv)) == Introduced(
        "203.0.113.7", True, 16 + 12 + 4 + len(tlv)
    )


@pytest.mark.parametrize(
    "wrong",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\r\n\r\nGET / HTTP/1.1\r\n",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 56324\r\n",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 99999\r\n",
        b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
        b"PROXY TCP4 256.0.0.1 192.0.2.1 1 2\r\n",
        b"PROXY  TCP4 203.0.113.7 192.0.2.1 1 2\r\n",
        b"PROXY UDP4 203.0.113.7 192.0.2.1 1 2\r\n",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 1 2\n" + b"x" * 107,
        b"PROXY " + b"x" * 102,
        SIGNATURE + b"\x11\x11\x00\x0c" + b"x" * 12,
        SIGNATURE + b"\x22\x11\x00\x0c" + b"x" * 12,
        SIGNATURE + b"\x21\x11\x00\x0b" + b"x" * 11,
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
)
def test_what_is_no_header(wrong: bytes) -> None:
    with pytest.raises(Malformed):
        read_header(wrong)


@given(
    st.binary(max_size=64),
    st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11\x00"]),
)
def test_any_bytes_are_a_header_or_malformed_or_unfinished(data: bytes, start: bytes) -> None:
    try:
        header = read_header(start + data)
    except Malformed:
        return
    assert header is None or 0 < header.size <= len(start + data)
