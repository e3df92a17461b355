# SPDX-License-Identifier: AGPL-3.0-or-later
"""The client's address: what proxies say of others, and nobody of itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.address import UNKNOWN, client_address


@pytest.mark.parametrize(
    ("peer", "said", "address"),
    [
        ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.2", "203.0.113.7, 192.168.1.1, ::1", "203.0.113.7"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("127.0.0.1", "nonsense, 203.0.113.7", "203.0.113.7"),
        ("::ffff:127.0.0.1", "::ffff:203.0.113.7", "203.0.113.7"),
        ("::1", "2001:DB8::1", "2001:db8::1"),
        (None, "203.0.113.7", UNKNOWN),
    ],
)
def test_it_is_the_nearest_that_is_no_proxy(peer: str | None, said: str | None, address: str) -> None:
    assert client_address(peer, said) == address


@given(st.text(), st.text())
def test_any_header_is_survived(peer: str, said: str) -> None:
    assert client_address(peer, said)
    assert client_address("127.0.0.1", said)
