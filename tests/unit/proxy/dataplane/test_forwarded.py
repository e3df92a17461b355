# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who the client is, and whom that is believed of."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from proxy.dataplane.forwarded import client_address, forwarding_lines, is_trusted

NETWORKS = (ip_network("10.0.0.0/8"), ip_network("::1/128"))


def test_an_untrusted_peer_is_the_client_whatever_it_says() -> None:
    said = {b"x-forwarded-for": b"1.1.1.1", b"x-forwarded-proto": b"https", b"forwarded": b"for=1.1.1.1"}
    assert forwarding_lines("2.2.2.2", False, b"http", b"a.test", said).split(b"\r\n") == [
        b"X-Forwarded-For: 2.2.2.2",
        b"X-Forwarded-Proto: http",
        b"X-Forwarded-Host: a.test",
        b"Forwarded: for=2.2.2.2;host=a.test;proto=http",
        b"",
    ]


def test_a_trusted_peer_is_believed_and_added() -> None:
    said = {
        b"x-forwarded-for": b"1.1.1.1",
        b"x-forwarded-proto": b"https",
        b"x-forwarded-host": b"b.test",
        b"x-forwarded-port": b"443",
        b"forwarded": b"for=1.1.1.1",
    }
    assert forwarding_lines("10.0.0.9", True, b"http", b"a.test:80", said).split(b"\r\n") == [
        b"X-Forwarded-For: 1.1.1.1, 10.0.0.9",
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-Host: b.test",
        b'Forwarded: for=1.1.1.1, for=10.0.0.9;host="a.test:80";proto=http',
        b"X-Forwarded-Port: 443",
        b"",
    ]


@pytest.mark.parametrize(
    ("said", "client"),
    [
        (b"1.1.1.1", "1.1.1.1"),
        (b"9.9.9.9, 1.1.1.1", "1.1.1.1"),
        (b"9.9.9.9, 1.1.1.1, 10.1.2.3", "1.1.1.1"),
        (b"10.1.1.1, 10.1.2.3", "10.1.1.1"),
        (b"forged, 10.1.2.3", "10.1.2.3"),
        (b"", "10.0.0.9"),
    ],
)
def test_the_client_is_the_nearest_that_no_trusted_proxy_owns(said: bytes, client: str) -> None:
    assert client_address("10.0.0.9", {b"x-forwarded-for": said}, NETWORKS) == client


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("::1", True),
        ("11.0.0.1", False),
        ("", False),
        ("x", False),
    ],
)
def test_trust(address: str, trusted: bool) -> None:
    assert is_trusted(address, NETWORKS) is trusted


def test_ipv6_is_quoted() -> None:
    assert forwarding_lines("::1", False, b"http", b"[::1]:80", {}).split(b"\r\n")[3] == (
        b'Forwarded: for="[::1]";host="[::1]:80";proto=http'
    )
