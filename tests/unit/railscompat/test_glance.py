# SPDX-License-Identifier: AGPL-3.0-or-later
"""A glance says what reading the whole session would say, or nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contracts.corpus import Corpus
from railscompat import marshal
from railscompat.cookies import EncryptedCookies
from railscompat.errors import MarshalError
from railscompat.glance import glance
from railscompat.session import SESSION_COOKIE, USER_KEY, keys_of, user_of

ORDINARY: dict[marshal.Key, marshal.Value] = {
    "session_id": "0123456789abcdef" * 2,
    "_csrf_token": "k" * 43,
    USER_KEY: [[4711], "$2a$10$" + "s" * 22],
}

texts = st.text(max_size=300)
values = st.one_of(
    texts,
    st.none(),
    st.booleans(),
    st.integers(),
    st.lists(st.integers(0, 2**40), max_size=3),
    st.dictionaries(texts, texts),
)
users = st.tuples(st.lists(st.integers(-5, 2**33), min_size=0, max_size=2), texts).map(list)
sessions = st.builds(
    lambda rest, user: {**rest, **({} if user is None else {USER_KEY: user})},
    st.dictionaries(texts, values, max_size=5),
    st.one_of(st.none(), users),
)


def assert_agrees(payload: bytes) -> bool:
    """Whether there was anything to see; what was seen must be right."""
    seen = glance(payload)
    if seen is None:
        return False
    whole = marshal.load(payload)
    known = user_of(whole)
    assert seen[0] == (None if known is None else known.id)
    assert {key.decode() for key in seen[1]} == keys_of(whole)
    return True


@given(sessions)
def test_any_session(session: marshal.Value) -> None:
    assert_agrees(marshal.dump(session))


@given(st.integers(0, 200), st.binary(max_size=4))
def test_a_broken_session(at: int, bytes_: bytes) -> None:
    payload = bytearray(marshal.dump(ORDINARY))
    payload[at : at + len(bytes_)] = bytes_
    try:
        marshal.load(bytes(payload))
    except MarshalError:
        return  # whoever asks again hears so from `marshal.load`; a glance need not be the judge
    assert_agrees(bytes(payload))


@given(st.binary(max_size=60))
def test_any_bytes(rest: bytes) -> None:
    glance(b"\x04\x08{" + rest)


def test_most_recorded_sessions_are_ordinary() -> None:
    corpus = Corpus.open()
    jar = EncryptedCookies(corpus.env["SECRET_KEY_BASE"])
    cookies = [held[SESSION_COOKIE] for held in corpus.sessions.values() if SESSION_COOKIE in held]
    seen = [assert_agrees(jar.decrypt_payload(SESSION_COOKIE, cookie)) for cookie in cookies]
    assert sum(seen) > len(cookies) / 2
    assert assert_agrees(marshal.dump(ORDINARY))
