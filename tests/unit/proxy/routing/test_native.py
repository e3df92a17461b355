# SPDX-License-Identifier: AGPL-3.0-or-later
"""The two readers of subjects say the same of any bytes: the same parts and keys, or the same refusal."""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import quote_from_bytes

from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import buckets, native
from railscompat import cookies, glance, marshal
from railscompat.errors import CookieError
from railscompat.marshal import Value
from railscompat.session import USER_KEY


def parts_of(unseal: Any, value: bytes) -> Any:
    """The parts, or the refusal's code."""
    try:
        return unseal(value)
    except CookieError as refused:
        return refused.code


def sealed(ciphertext: bytes, nonce: bytes, tag: bytes) -> bytes:
    return b"--".join(map(base64.b64encode, (ciphertext, nonce, tag)))


def fixed(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


SEALED = st.builds(sealed, st.binary(max_size=80), fixed(12), fixed(16))
# As browsers send it, with more escaped than need be, and with what a base64 reader might overlook.
WRITTEN = SEALED.flatmap(
    lambda value: st.sampled_from(
        [
            quote_from_bytes(value, safe="").encode(),
            quote_from_bytes(value, safe="").lower().encode(),
            value,
            value.replace(b"A", b"%41"),
            b"".join(b"%%%02x" % byte for byte in value),
        ]
    )
)


def mutated(value: bytes, at: int, piece: bytes, gone: int) -> bytes:
    at %= len(value) + 1
    return value[:at] + piece + value[at + gone :]


@given(WRITTEN)
def test_a_sealed_value_comes_apart_the_same_way(value: bytes) -> None:
    assert parts_of(native.unseal, value) == parts_of(cookies.unseal, value)


@given(
    WRITTEN, st.integers(0, 500), st.sampled_from([b"", b"-", b"--", b"=", b"%", b"%3", b"+", b"\xff", b"B"])
)
def test_and_so_does_a_broken_one(value: bytes, at: int, piece: bytes) -> None:
    for gone in (0, 1, 4):
        broken = mutated(value, at, piece, gone)
        assert parts_of(native.unseal, broken) == parts_of(cookies.unseal, broken)


def test_the_largest_value_is_4096_bytes() -> None:
    for size in (3024, 3027, 3030, 9000, 9300):
        value = quote_from_bytes(sealed(b"\xfb" * size, b"n" * 12, b"t" * 16), safe="").encode()
        assert parts_of(native.unseal, value) == parts_of(cookies.unseal, value)


def test_text_is_taken_as_well_as_bytes() -> None:
    value = sealed(b"what it says", b"n" * 12, b"t" * 16)
    assert native.unseal(value.decode()) == native.unseal(value) == (b"n" * 12, b"what it says" + b"t" * 16)


TEXTS = st.text("abcdefghij._ÄÖ", max_size=200)
VALUES: st.SearchStrategy[Value] = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers(-300, 70_000),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
USERS = st.integers(-5, 1 << 31).map(lambda user: [[user], "$2a$11$" + "s" * 22])
SESSIONS = st.builds(
    lambda before, user, after: {**before, **user, **after},
    st.dictionaries(TEXTS, VALUES, max_size=3),
    st.dictionaries(st.just(USER_KEY), USERS | VALUES, max_size=1),
    st.dictionaries(TEXTS, VALUES, max_size=3),
)


@given(SESSIONS)
def test_a_session_is_seen_the_same_way(session: dict[Value, Value]) -> None:
    payload = marshal.dump(session)
    assert native.glance(payload) == glance.glance(payload)


@given(SESSIONS, st.integers(0, 1000), st.binary(max_size=3), st.integers(0, 4))
def test_and_so_is_what_a_session_never_looks_like(
    session: dict[Value, Value], at: int, piece: bytes, gone: int
) -> None:
    payload = mutated(marshal.dump(session), at, piece, gone)
    assert native.glance(payload) == glance.glance(payload)
    assert native.glance(payload[: at % (len(payload) + 1)]) == glance.glance(
        payload[: at % (len(payload) + 1)]
    )


def rack(header: bytes, name: bytes) -> bytes | None:
    """Rack::Utils.parse_cookies_header, for one name."""
    for pair in re.split(rb"; *", header):
        key, equals, value = pair.lstrip(b" ").partition(b"=")
        if key == name and equals:
            return value
    return None


_PIECES = st.sampled_from(
    [b"a=", b"ab=", b"=", b";", b"; ", b" ", b"a", b"b", b"x", b";a=1", b"; ;", b"a=b=c", b",", b"\xff"]
)


@given(st.lists(_PIECES, max_size=12).map(b"".join))
def test_cookies_are_found_as_rack_finds_them(header: bytes) -> None:
    for name in (b"a", b"ab"):
        found = rack(header, name)
        assert native.value_in(header, name + b"=") == cookies.value_in(header, name + b"=") == found


@given(st.binary(max_size=40).filter(lambda salt: b"\0" not in salt), st.binary(max_size=200))
def test_hashes_are_the_same_in_both(salt: bytes, subject: bytes) -> None:
    assert native.hash_of(salt, subject) == buckets.hash_of(salt, subject)
