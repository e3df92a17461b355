# SPDX-License-Identifier: AGPL-3.0-or-later
"""Cookies of any kind are read as Rack reads them; none is ever an error; memory is bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import SubjectReader
from proxy.routing.subject import key_subject
from tests.unit.proxy.routing.tables import NOW, SECRET, reader, session_cookie


@given(st.binary(max_size=200))
def test_any_cookie_header_is_read(header: bytes) -> None:
    by = reader()
    for cookies in (
        header,
        b"_loomio=" + header,
        b"remember_user_token=" + header,
        b"banyan_bucket=" + header,
    ):
        by.session(cookies)
        by.remembered(cookies)
        by.own(cookies)


def test_what_cannot_be_decrypted_is_nobody_and_counted() -> None:
    by = reader()
    for cookies in (
        b"_loomio=nonsense",
        session_cookie(1, secret="another" * 10).encode(),
        b"_loomio=a--b--c",
    ):
        assert by.session(cookies).user is None
    assert by.undecryptable == 3
    by.session(b"_loomio=nonsense")
    assert by.undecryptable == 3


def test_a_session_is_decrypted_once() -> None:
    by = reader()
    cookies = session_cookie(7, flash="x").encode()
    first = by.session(cookies)
    assert by.session(b"other=1; " + cookies) is first
    assert first.user == b"user:7"
    assert first.keys.fit(("fla*",))
    assert not first.keys.fit(("pending_*",))


def test_memory_of_sessions_is_bounded() -> None:
    by = SubjectReader(SECRET, lambda: NOW, remembered_sessions=10)
    for user in range(50):
        assert by.session(session_cookie(user, nonce=user).encode()).user == b"user:%d" % user
    assert len(by._sessions) + len(by._older) <= 10


def test_the_session_cookie_may_have_another_name() -> None:
    by = SubjectReader(SECRET, lambda: NOW, session_cookie="_shop_session")
    assert by.session(session_cookie(1).encode()).user is None


def test_an_api_key_does_not_appear_in_its_subject() -> None:
    assert b"secret" not in key_subject("secret")
    assert key_subject("secret") == key_subject("secret") != key_subject("secret2")


def test_own_cookies_are_not_guessable_and_each_is_new() -> None:
    by = reader()
    values = {by.mint() for _ in range(100)}
    assert len(values) == 100
    assert all(by.own(b"banyan_bucket=" + value) == value for value in values)
