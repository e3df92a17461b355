# SPDX-License-Identifier: AGPL-3.0-or-later
"""Authenticity tokens: what a session gives out it takes back, and nothing else."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railscompat.csrf import global_token, mask, per_form_token, real_token, session_token, verify
from railscompat.marshal import AsciiString, dump

tokens = st.binary(min_size=32, max_size=32)
REAL = bytes(range(32))


def test_tokens_are_those_of_rails() -> None:
    assert global_token(REAL) == hmac.new(REAL, b"!real_csrf_token", hashlib.sha256).digest()
    expected = hmac.new(REAL, b"/api/v1/sessions#post", hashlib.sha256).digest()
    assert per_form_token(REAL, "/api/v1/sessions/", "POST") == expected
    assert per_form_token(REAL, "/api/v1/sessions", "post") == expected
    assert per_form_token(REAL, "/api/v1/sessions//", "post") != expected


@given(tokens, tokens)
def test_a_masked_token_is_pad_and_difference(token: bytes, pad: bytes) -> None:
    masked = mask(token, pad)
    assert len(masked) == 86
    raw = base64.urlsafe_b64decode(masked + "==")
    assert raw[:32] == pad
    assert int.from_bytes(raw[32:]) == int.from_bytes(token) ^ int.from_bytes(pad)


@given(tokens, tokens)
def test_accepts_what_the_session_gives_out(real: bytes, pad: bytes) -> None:
    given_out = [
        mask(global_token(real), pad),
        mask(per_form_token(real, "/comments", "PATCH"), pad),
        mask(real, pad),
        base64.urlsafe_b64encode(real).decode(),
    ]
    for token in given_out:
        assert verify(real, token, path="/comments/", method="PATCH")
        standard = token.replace("-", "+").replace("_", "/")
        assert verify(real, standard, path="/comments", method="patch")


@given(tokens, tokens, st.sampled_from([("/comments", "POST"), ("/other", "PATCH")]))
def test_a_form_s_token_is_for_that_form(real: bytes, pad: bytes, other: tuple[str, str]) -> None:
    token = mask(per_form_token(real, "/comments", "PATCH"), pad)
    assert not verify(real, token, path=other[0], method=other[1])


@given(tokens, tokens, tokens)
def test_refuses_tokens_of_other_sessions(real: bytes, other: bytes, pad: bytes) -> None:
    if real != other:
        assert not verify(real, mask(global_token(other), pad), path="/", method="POST")
        assert not verify(real, mask(other, pad), path="/", method="POST")


@given(st.text(max_size=100))
def test_refuses_anything_else(submitted: str) -> None:
    assert not verify(REAL, submitted, path="/", method="POST")


@given(tokens)
def test_the_token_of_a_session(random: bytes) -> None:
    token = session_token(random)
    assert real_token(token) == random
    assert real_token(base64.b64encode(random).decode()) == random
    assert isinstance(token, AsciiString)
    assert dump(token).endswith(b"\x06:\x06EF")


@pytest.mark.parametrize("token", ["", "short", "é", "=" * 44, "A" * 40])
def test_a_session_without_a_usable_token(token: str) -> None:
    assert real_token(token) is None


@pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33)])
def test_lengths_are_checked(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="32"):
        mask(REAL, wrong)
    with pytest.raises(ValueError, match="32"):
        mask(wrong, REAL)
    with pytest.raises(ValueError, match="32"):
        session_token(wrong)
